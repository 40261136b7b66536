import {
  CAP_NET_RAW,
  EINVAL,
  ENODEV,
  ENOPROTOOPT,
  EPERM,
  IFNAMSIZ,
  SO_BINDTODEVICE,
  SO_BINDTOIFINDEX,
  SOF_TIMESTAMPING_MASK,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_OPT_ID_TCP,
  SOF_TIMESTAMPING_OPT_STATS,
  SOF_TIMESTAMPING_OPT_TSONLY,
  SO_BUF_LOCK,
  SO_BUSY_POLL,
  SO_BUSY_POLL_BUDGET,
  SO_INCOMING_CPU,
  SO_INCOMING_NAPI_ID,
  SO_LOCK_FILTER,
  SO_MAX_PACING_RATE,
  SO_NOFCS,
  SO_PREFER_BUSY_POLL,
  SO_RCVMARK,
  SO_RCVPRIORITY,
  SO_SELECT_ERR_QUEUE,
  SO_TIMESTAMPING,
  type Errno,
} from '@tsv/abi';
import type { Task } from '../../task/task.js';
import { isFilterLocked } from '../filter/socket-filter.js';
import { deviceNamed } from '../device/net-device.js';
import type { InetSocket } from './inet-socket.js';

/** Options of SOL_SOCKET that are taken, and that nothing here depends on, with what they are at first. */
const KEPT: ReadonlyMap<number, number> = new Map([
  [SO_BUSY_POLL, 0],
  [SO_PREFER_BUSY_POLL, 0],
  [SO_NOFCS, 0],
  [SO_INCOMING_CPU, -1],
  [SO_RCVMARK, 0],
  [SO_RCVPRIORITY, 0],
  [SO_BUF_LOCK, 0],
  [SO_MAX_PACING_RATE, -1],
  [SO_SELECT_ERR_QUEUE, 0],
]);

/** Those that are on or off. */
const FLAGS: ReadonlySet<number> = new Set([SO_PREFER_BUSY_POLL, SO_NOFCS, SO_RCVMARK, SO_RCVPRIORITY]);
const BUF_LOCK_MASK = 3;
const BUSY_POLL_BUDGET_MAX = 65_535;

/** Kept apart from the options of other levels in {@link InetSocket.keptOptions}. */
const KEPT_BASE = 0x1_0000;

/** Options of SOL_SOCKET about devices, socket(7). Returns the length. Errors: EINVAL, ENODEV, ENOPROTOOPT. */
export function getDeviceOption(file: InetSocket, name: number, dst: DataView, lenMax: number): number {
  const { socket } = file;
  const { boundNicId } = socket.options;
  if (name === SO_BINDTOIFINDEX) {
    dst.setInt32(0, boundNicId, true);
    return 4;
  }
  if (name === SO_TIMESTAMPING) {
    dst.setInt32(0, file.options.timestamping, true);
    dst.setInt32(4, 0, true); // `bind_phc`: there is no such clock.
    return 8;
  }
  if (name === SO_LOCK_FILTER || name === SO_INCOMING_NAPI_ID) {
    dst.setInt32(0, name === SO_LOCK_FILTER && isFilterLocked(socket) ? 1 : 0, true);
    return 4;
  }
  if (name !== SO_BINDTODEVICE) {
    const initial = KEPT.get(name);
    if (initial === undefined) return -ENOPROTOOPT;
    dst.setInt32(0, file.keptOptions.get(KEPT_BASE + name) ?? initial, true);
    return 4;
  }
  if (boundNicId === 0) return 0;
  const nic = socket.stack.nic(boundNicId);
  if (lenMax < IFNAMSIZ) return -EINVAL;
  if (nic === undefined) return -ENODEV;
  for (let i = 0; i <= nic.name.length; i++) dst.setUint8(i, i < nic.name.length ? nic.name.charCodeAt(i) : 0);
  return nic.name.length + 1;
}

/** Errors: EINVAL, ENODEV, ENOPROTOOPT, EPERM for changing the device without CAP_NET_RAW. */
export function setDeviceOption(file: InetSocket, name: number, src: DataView, len: number, t: Task): 0 | Errno {
  const { socket } = file;
  if (name !== SO_BINDTODEVICE && name !== SO_BINDTOIFINDEX) {
    const value = src.getInt32(0, true);
    if (name === SO_TIMESTAMPING) return setTimestamping(file, value);
    if (name === SO_BUSY_POLL_BUDGET) return value < 0 || value > BUSY_POLL_BUDGET_MAX ? -EINVAL : 0;
    if (!KEPT.has(name)) return -ENOPROTOOPT;
    if (name === SO_BUSY_POLL && value < 0) return -EINVAL;
    if (name === SO_BUF_LOCK && (value < 0 || value > BUF_LOCK_MASK)) return -EINVAL;
    file.keptOptions.set(KEPT_BASE + name, FLAGS.has(name) ? Number(value !== 0) : value);
    return 0;
  }
  const isChange = socket.options.boundNicId !== 0;
  if (isChange && !t.creds.hasCapIn(file.net.userNs, CAP_NET_RAW)) return -EPERM;
  let nicId: number;
  if (name === SO_BINDTOIFINDEX) {
    nicId = src.getInt32(0, true);
    if (nicId < 0) return -EINVAL;
    if (nicId !== 0 && socket.stack.nic(nicId) === undefined) return -ENODEV;
  } else {
    const wanted = loadName(src, len);
    const nic = wanted === '' ? undefined : deviceNamed(socket.stack, wanted);
    if (wanted !== '' && nic === undefined) return -ENODEV;
    nicId = nic === undefined ? 0 : nic.id;
  }
  socket.options.boundNicId = nicId;
  return 0;
}

/** SO_TIMESTAMPING. Errors: EINVAL for bits that there are none of, or that go with others only. */
function setTimestamping(file: InetSocket, value: number): 0 | Errno {
  const has = (bit: number): boolean => (value & bit) !== 0;
  if (has(~SOF_TIMESTAMPING_MASK)) return -EINVAL;
  if (has(SOF_TIMESTAMPING_OPT_ID_TCP) && !has(SOF_TIMESTAMPING_OPT_ID)) return -EINVAL;
  if (has(SOF_TIMESTAMPING_OPT_STATS) && !has(SOF_TIMESTAMPING_OPT_TSONLY)) return -EINVAL;
  file.options.timestamping = value;
  return 0;
}

function loadName(src: DataView, len: number): string {
  let name = '';
  for (let i = 0; i < Math.min(len, IFNAMSIZ - 1); i++) {
    const byte = src.getUint8(i);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}
