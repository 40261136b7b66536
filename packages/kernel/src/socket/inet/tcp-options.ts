import {
  EINVAL,
  ENOENT,
  ENOPROTOOPT,
  EPERM,
  SIZEOF_TCP_BBR_INFO,
  SIZEOF_TCP_INFO,
  TCP_CA_NAME_MAX,
  TCP_CC_INFO,
  TCP_CONGESTION,
  TCP_FASTOPEN_KEY,
  TCP_INFO,
  TCP_QUEUE_SEQ,
  TCP_REPAIR,
  TCP_REPAIR_OPTIONS,
  TCP_REPAIR_QUEUE,
  TCP_REPAIR_WINDOW,
  TCP_TIMESTAMP,
  TCP_ULP,
  SOL_TCP,
  storeTcpBbrInfo,
  storeTcpInfo,
  type Errno,
} from '@tsv/abi';
import { isFastOpenKey, TcpState, type TcpSocket } from '@tsv/netstack';

/** getsockopt(2) of level SOL_TCP: stores the option in `dst` and returns its length. Errors: ENOPROTOOPT, EINVAL, EPERM. */
export function getTcpOption(socket: TcpSocket, name: number, dst: DataView, lenMax: number): number {
  switch (name) {
    case TCP_CONGESTION:
      return storeName(dst, socket.tcpOptionValues.congestionControl, lenMax);
    case TCP_INFO:
      return storeInfo(socket, dst);
    case TCP_CC_INFO:
      return storeModel(socket, dst);
    case TCP_FASTOPEN_KEY:
      return storeKey(dst, socket.tcpOptionValues.fastOpenKey);
    case TCP_ULP:
      return 0;
    case TCP_TIMESTAMP:
      return storeInt(dst, socket.endpoint?.tsNow(socket.stack.nowMs) ?? Math.floor(socket.stack.nowMs) | 0);
    case TCP_REPAIR:
      return storeInt(dst, 0);
    case TCP_REPAIR_QUEUE:
    case TCP_QUEUE_SEQ:
      return -EINVAL;
    case TCP_REPAIR_WINDOW:
      return -EPERM;
    default: {
      const value = socket.getOption(SOL_TCP, name);
      return value === -ENOPROTOOPT ? value : storeInt(dst, value);
    }
  }
}

/**
 * setsockopt(2) of level SOL_TCP. Errors: EINVAL, ENOENT for an algorithm that there is none of, ENOPROTOOPT, EOPNOTSUPP,
 * EPERM for TCP_REPAIR, which nobody here may use.
 */
export function setTcpOption(socket: TcpSocket, name: number, src: DataView, len: number): 0 | Errno {
  switch (name) {
    case TCP_CONGESTION:
    case TCP_ULP: {
      if (len < 1) return -EINVAL;
      const isKnown = name === TCP_CONGESTION && socket.setCongestionControl(loadName(src, len));
      return isKnown ? 0 : -ENOENT;
    }
    case TCP_FASTOPEN_KEY: {
      const key = new Uint8Array(src.buffer, src.byteOffset, len).slice();
      if (!isFastOpenKey(key)) return -EINVAL;
      socket.tcpOptions.fastOpenKey = key;
      return 0;
    }
    case TCP_REPAIR:
    case TCP_REPAIR_QUEUE:
    case TCP_REPAIR_WINDOW:
    case TCP_TIMESTAMP:
      return len < 4 ? -EINVAL : -EPERM;
    case TCP_QUEUE_SEQ:
      return len >= 4 && socket.state !== TcpState.CLOSE ? -EPERM : -EINVAL;
    case TCP_REPAIR_OPTIONS:
      return -EINVAL;
    default:
      return len < 4 ? -EINVAL : socket.setOption(SOL_TCP, name, src.getInt32(0, true));
  }
}

function storeInfo(socket: TcpSocket, dst: DataView): number {
  new Uint8Array(dst.buffer, dst.byteOffset, SIZEOF_TCP_INFO).fill(0);
  const info = socket.info;
  if (info === null) dst.setUint8(0, socket.state);
  else storeTcpInfo(dst, 0, info);
  return SIZEOF_TCP_INFO;
}

/** `union tcp_cc_info`; nothing of an algorithm that has nothing to tell. */
function storeModel(socket: TcpSocket, dst: DataView): number {
  const model = socket.endpoint?.sender.cc.model ?? null;
  if (model === null) return 0;
  storeTcpBbrInfo(dst, 0, model);
  return SIZEOF_TCP_BBR_INFO;
}

function storeKey(dst: DataView, key: Uint8Array | null): number {
  if (key === null) return 0;
  for (const [i, byte] of key.entries()) dst.setUint8(i, byte);
  return key.length;
}

function storeInt(dst: DataView, value: number): number {
  dst.setInt32(0, value, true);
  return 4;
}

/** Stores a name and its NULs. */
function storeName(dst: DataView, name: string, lenMax: number): number {
  for (let i = 0; i < TCP_CA_NAME_MAX; i++) dst.setUint8(i, i < name.length ? name.charCodeAt(i) : 0);
  return Math.min(TCP_CA_NAME_MAX, lenMax);
}

function loadName(src: DataView, len: number): string {
  let name = '';
  for (let i = 0; i < Math.min(len, TCP_CA_NAME_MAX - 1); i++) {
    const byte = src.getUint8(i);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}
