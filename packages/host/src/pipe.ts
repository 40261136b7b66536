import native from '../native/index.js';

/** Pipes, and readiness of one descriptor. */
export const { pipe2, pollFd, bytesReadable } = native;
