import native from '../native/index.js';

/**
 * Sockets of the host's network. Addresses are the bytes of a `struct sockaddr`; constants are those of <sys/socket.h>.
 * Each returns a value of 0 or more, or a negated errno.
 */
export const {
  socket,
  bind,
  connect,
  listen,
  accept4,
  getsockname,
  getpeername,
  getsockopt,
  setsockopt,
  sendmsg,
  recvmsg,
} = native;

/** Indices of what {@link recvmsg} and {@link accept4} (the first) store in `lengths`. */
export const LENGTH_ADDRESS = 0;
export const LENGTH_CONTROL = 1;
export const MESSAGE_FLAGS = 2;
/** Elements that `lengths` has. */
export const LENGTH_COUNT = 3;
