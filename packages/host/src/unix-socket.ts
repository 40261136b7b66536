import native from '../native/index.js';

/** Sockets that carry descriptors, unix(7). */
export const { unixSocketpair, sendFds, recvFds, shutdown } = native;
