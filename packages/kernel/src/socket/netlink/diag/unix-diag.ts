import {
  AF_UNIX,
  EINVAL,
  ENOENT,
  SIZEOF_UNIX_DIAG_MSG,
  SIZEOF_UNIX_DIAG_REQ,
  SOCK_DIAG_BY_FAMILY,
  UDIAG_INO,
  UDIAG_SHOW,
  UDIAG_STATE,
  UDIAG_STATES,
  UDIAG_TYPE,
  UNIX_DIAG_NAME,
  UNIX_DIAG_PEER,
  UNIX_DIAG_RQLEN,
  storeI64,
  type Errno,
} from '@tsv/abi';
import { TcpState } from '@tsv/netstack';
import type { UnixSocket } from '../../unix/unix-socket.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';

/** Bits of `udiag_show`. */
const SHOW_NAME = 0x1;
const SHOW_PEER = 0x4;
const SHOW_RQLEN = 0x10;
const UDIAG_COOKIE = 8;

/** Dumps the AF_UNIX sockets of a kernel. Errors: EINVAL, ENOENT for one that is asked for by number. */
export function dumpUnix(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  if (request.payloadLen < SIZEOF_UNIX_DIAG_REQ) return -EINVAL;
  if (!request.isDump) return -ENOENT;
  const { view, at } = request;
  const states = view.getUint32(at + UDIAG_STATES, true);
  const show = view.getUint32(at + UDIAG_SHOW, true);
  for (const socket of request.t.kernel.unixFamily.sockets) {
    const state = unixStateOf(socket);
    if (((states >>> state) & 1) !== 0) writeSocket(reply, socket, state, show);
  }
  return 0;
}

/** The state of a unix(7) socket, with the numbers of TCP's. */
export function unixStateOf(socket: UnixSocket): TcpState {
  if (socket.isListening) return TcpState.LISTEN;
  return socket.peer === null ? TcpState.CLOSE : TcpState.ESTABLISHED;
}

function writeSocket(reply: NetlinkReply, socket: UnixSocket, state: TcpState, show: number): void {
  const writer = reply.begin(SOCK_DIAG_BY_FAMILY);
  const at = writer.extend(SIZEOF_UNIX_DIAG_MSG);
  writer.view.setUint8(at, AF_UNIX);
  writer.view.setUint8(at + UDIAG_TYPE, socket.type);
  writer.view.setUint8(at + UDIAG_STATE, state);
  writer.view.setUint32(at + UDIAG_INO, socket.inode.ino, true);
  storeI64(writer.view, at + UDIAG_COOKIE, socket.inode.ino);
  const { address } = socket;
  if ((show & SHOW_NAME) !== 0 && address !== null) {
    const name = address.isAbstract ? `\0${address.name}` : address.name;
    writer.data(
      UNIX_DIAG_NAME,
      Uint8Array.from(name, (char) => char.charCodeAt(0)),
    );
  }
  if ((show & SHOW_PEER) !== 0 && socket.peer !== null) writer.u32(UNIX_DIAG_PEER, socket.peer.inode.ino);
  if ((show & SHOW_RQLEN) !== 0) {
    const lenAt = writer.attribute(UNIX_DIAG_RQLEN, 8);
    writer.view.setUint32(lenAt, socket.received.usedBytes, true);
  }
  writer.end();
}
