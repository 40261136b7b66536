import {
  CAP_SETPCAP,
  EFAULT,
  EINVAL,
  EPERM,
  ESRCH,
  _LINUX_CAPABILITY_VERSION_1,
  _LINUX_CAPABILITY_VERSION_2,
  _LINUX_CAPABILITY_VERSION_3,
  type SysResult,
} from '@tsv/abi';
import { CapSet } from '../cred/cap-set.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** `struct __user_cap_data_struct`: effective, permitted, inheritable. */
const DATA_BYTES = 12;
const HEADER_PID = 4;

/** capget(2). Errors: EFAULT, EINVAL, ESRCH. */
export function sysCapget(t: Task, a: SyscallArgs): SysResult {
  const headerAddr = a.u64(0);
  const dataAddr = a.u64(1);
  const words = wordCount(t, headerAddr);
  if (words < 0) return dataAddr === 0 && words === -EINVAL ? 0 : words;
  const pid = t.mm.load32(headerAddr + HEADER_PID) | 0;
  if (pid < 0) return -EINVAL;
  const target = pid === 0 ? t : (t.pidNs.lookup(pid)?.task ?? null);
  if (target === null) return -ESRCH;
  if (dataAddr === 0) return 0;
  const { effective, permitted, inheritable } = target.creds;
  const { scratch, scratchView: mem } = t.kernel;
  storeSets(mem, 0, effective.low, permitted.low, inheritable.low);
  storeSets(mem, DATA_BYTES, effective.high, permitted.high, inheritable.high);
  return t.mm.copyOut(dataAddr, scratch, 0, words * DATA_BYTES);
}

/** capset(2). Errors: EFAULT, EINVAL, EPERM. */
export function sysCapset(t: Task, a: SyscallArgs): SysResult {
  const headerAddr = a.u64(0);
  const dataAddr = a.u64(1);
  const words = wordCount(t, headerAddr);
  if (words < 0) return words;
  const pid = t.mm.load32(headerAddr + HEADER_PID) | 0;
  if (pid !== 0 && pid !== t.threadPid.number) return -EPERM;
  const { scratch, scratchView: mem } = t.kernel;
  scratch.fill(0, 0, 2 * DATA_BYTES);
  if (t.mm.copyIn(scratch, 0, dataAddr, words * DATA_BYTES) < 0) return -EFAULT;
  const load = (at: number): CapSet => new CapSet(mem.getUint32(at, true), mem.getUint32(DATA_BYTES + at, true));
  return setCapabilities(t, load(0), load(4), load(8));
}

function setCapabilities(t: Task, effective: CapSet, permitted: CapSet, inheritable: CapSet): SysResult {
  const old = t.creds;
  if (!old.hasCap(CAP_SETPCAP) && !inheritable.isSubsetOf(old.inheritable.or(old.permitted))) return -EPERM;
  if (!inheritable.isSubsetOf(old.inheritable.or(old.bounding))) return -EPERM;
  if (!permitted.isSubsetOf(old.permitted)) return -EPERM;
  if (!effective.isSubsetOf(permitted)) return -EPERM;
  const ambient = old.ambient.and(permitted).and(inheritable);
  t.creds = old.with({ effective, permitted, inheritable, ambient });
  return 0;
}

/** How many words the header's version has for each set. An unknown version is answered with the present one. */
function wordCount(t: Task, headerAddr: number): number {
  const version = t.mm.load32(headerAddr);
  if (Number.isNaN(version)) return -EFAULT;
  switch (version >>> 0) {
    case _LINUX_CAPABILITY_VERSION_1:
      return 1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
      return 2;
    default:
      return t.mm.store32(headerAddr, _LINUX_CAPABILITY_VERSION_3) < 0 ? -EFAULT : -EINVAL;
  }
}

function storeSets(mem: DataView, at: number, effective: number, permitted: number, inheritable: number): void {
  mem.setUint32(at, effective, true);
  mem.setUint32(at + 4, permitted, true);
  mem.setUint32(at + 8, inheritable, true);
}
