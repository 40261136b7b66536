import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM } from '@tsv/abi';
import { Urgent } from '../tcp/receiver.js';
import type { TcpEndpoint } from '../tcp/tcp-endpoint.js';
import { TcpState } from '../tcp/tcp-state.js';

export const READ_EVENTS = POLLIN | POLLRDNORM;
export const WRITE_EVENTS = POLLOUT | POLLWRNORM;

/** poll(2) bits of a connection, as `tcp_poll()`. */
export function readinessOf(endpoint: TcpEndpoint): number {
  const { state, isReadOver, isWriteOver } = endpoint;
  let mask = endpoint.error !== 0 ? POLLERR : 0;
  if ((isReadOver && isWriteOver) || state === TcpState.CLOSE) mask |= POLLHUP;
  if (isReadOver) mask |= READ_EVENTS | POLLRDHUP;
  if (state === TcpState.SYN_SENT) return endpoint.isSynDeferred ? mask | WRITE_EVENTS : mask;
  if (endpoint.readableBytes > 0) mask |= READ_EVENTS;
  if (endpoint.canWrite) mask |= WRITE_EVENTS;
  if (endpoint.receiver.urgent === Urgent.VALID) mask |= POLLPRI;
  return mask;
}
