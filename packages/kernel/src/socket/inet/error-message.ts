import {
  AF_INET,
  AF_INET6,
  EAGAIN,
  EE_CODE,
  EE_DATA,
  EE_ERRNO,
  EE_INFO,
  EE_ORIGIN,
  EE_TYPE,
  IP_RECVERR,
  IPV6_RECVERR,
  MSG_ERRQUEUE,
  MSG_TRUNC,
  SIN6_ADDR,
  SIN_ADDR,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6,
  SIZEOF_SCM_TIMESTAMPING,
  SIZEOF_SOCK_EXTENDED_ERR,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_ICMP6,
  SO_EE_ORIGIN_TIMESTAMPING,
  SO_TIMESTAMPING,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  storeTimespecMs,
} from '@tsv/abi';
import { SocketAddress, type QueuedError, type Socket } from '@tsv/netstack';
import type { IoBuffer } from '@tsv/vfs';
import type { Task } from '../../task/task.js';
import type { SocketMessage } from '../socket-message.js';
import { appendControl } from './inet-control.js';
import { storeInetAddress } from './inet-address.js';

/** Receives the first error of the socket's queue: MSG_ERRQUEUE, ip(7). Errors: EAGAIN when there is none. */
export function receiveQueuedError(
  socket: Socket,
  isIpv6: boolean,
  io: IoBuffer,
  message: SocketMessage,
  t: Task,
): number {
  const error = socket.errors.shift();
  if (error === undefined) return -EAGAIN;
  const { payload } = error;
  const count = Math.min(io.remaining, payload.length);
  const moved = count === 0 ? 0 : io.put(payload, 0, count);
  if (moved < 0) return moved;
  message.flags |= MSG_ERRQUEUE | (count < payload.length ? MSG_TRUNC : 0);
  message.addressLen = storeInetAddress(message.address, isIpv6, new SocketAddress(error.dst, error.dstPort));
  if (error.origin === SO_EE_ORIGIN_TIMESTAMPING) {
    const { clock } = t.kernel;
    const at = appendControl(message, SOL_SOCKET, SO_TIMESTAMPING, SIZEOF_SCM_TIMESTAMPING);
    storeTimespecMs(message.controlView, at, error.atMs + clock.realtimeMs() - clock.monotonicMs());
  }
  storeError(message, error, isIpv6);
  if (error.origin === SO_EE_ORIGIN_TIMESTAMPING) return moved;
  // The next error is the one that SO_ERROR and the next call tell of.
  const next = socket.errors.first;
  const isError = next !== undefined && next.origin !== SO_EE_ORIGIN_TIMESTAMPING;
  socket.pendingError = isError ? next.errno : 0;
  return moved;
}

function storeError(message: SocketMessage, error: QueuedError, isIpv6: boolean): void {
  const { controlView } = message;
  const addressLen = isIpv6 ? SIZEOF_SOCKADDR_IN6 : SIZEOF_SOCKADDR_IN;
  const len = SIZEOF_SOCK_EXTENDED_ERR + addressLen;
  const at = appendControl(message, isIpv6 ? SOL_IPV6 : SOL_IP, isIpv6 ? IPV6_RECVERR : IP_RECVERR, len);
  controlView.setUint32(at + EE_ERRNO, error.errno, true);
  controlView.setUint8(at + EE_ORIGIN, error.origin);
  controlView.setUint8(at + EE_TYPE, error.type);
  controlView.setUint8(at + EE_CODE, error.code);
  controlView.setUint32(at + EE_INFO, error.info, true);
  controlView.setUint32(at + EE_DATA, error.data, true);
  if (error.origin !== SO_EE_ORIGIN_ICMP && error.origin !== SO_EE_ORIGIN_ICMP6) return;
  const addressAt = at + SIZEOF_SOCK_EXTENDED_ERR;
  controlView.setUint16(addressAt, isIpv6 ? AF_INET6 : AF_INET, true);
  if (isIpv6) error.offender.storeIpv6(message.control, addressAt + SIN6_ADDR);
  else error.offender.storeIpv4(message.control, addressAt + SIN_ADDR);
}
