import {
  CAP_SYSLOG,
  CAP_SYS_ADMIN,
  EFAULT,
  EINVAL,
  EPERM,
  HOST_NAME_MAX,
  SIZEOF_SYSINFO,
  SIZEOF_UTSNAME,
  SYSINFO_FREERAM,
  SYSINFO_MEM_UNIT,
  SYSINFO_PROCS,
  SYSINFO_SHAREDRAM,
  SYSINFO_TOTALRAM,
  SYSINFO_UPTIME,
  UTS_FIELD_BYTES,
  storeI64,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES, UsageKind } from '@tsv/platform';
import { OS_RELEASE } from '../proc/system-files.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const GRND_NONBLOCK = 1;
const GRND_RANDOM = 2;
const GRND_INSECURE = 4;
/** Most bytes that one getrandom(2) gives. */
const GETRANDOM_BYTES_MAX = 33554431;
/** personality(2) with this only asks. */
const PERSONALITY_QUERY = 0xffffffff;
const OS_VERSION = '#1 SMP TSV';

/** uname(2). Errors: EFAULT. */
export function sysUname(t: Task, a: SyscallArgs): SysResult {
  const nameAddr = a.u64(0);
  const { uts } = t.ns;
  const { scratch } = t.kernel;
  scratch.fill(0, 0, SIZEOF_UTSNAME);
  storeField(scratch, 0, 'Linux');
  storeField(scratch, 1, uts.hostname);
  storeField(scratch, 2, OS_RELEASE);
  storeField(scratch, 3, OS_VERSION);
  storeField(scratch, 4, 'x86_64');
  storeField(scratch, 5, uts.domainname);
  return t.mm.copyOut(nameAddr, scratch, 0, SIZEOF_UTSNAME);
}

/** sethostname(2). Errors: EFAULT, EINVAL, EPERM. */
export function sysSethostname(t: Task, a: SyscallArgs): SysResult {
  const name = loadName(t, a.u64(0), a.i32(1));
  if (typeof name === 'number') return name;
  t.ns.uts.hostname = name;
  return 0;
}

/** setdomainname(2). Errors: EFAULT, EINVAL, EPERM. */
export function sysSetdomainname(t: Task, a: SyscallArgs): SysResult {
  const name = loadName(t, a.u64(0), a.i32(1));
  if (typeof name === 'number') return name;
  t.ns.uts.domainname = name;
  return 0;
}

/** sysinfo(2). Errors: EFAULT. */
export function sysSysinfo(t: Task, a: SyscallArgs): SysResult {
  const infoAddr = a.u64(0);
  const { kernel } = t;
  const { scratch, scratchView: mem, memoryFile, clock } = kernel;
  scratch.fill(0, 0, SIZEOF_SYSINFO);
  storeI64(mem, SYSINFO_UPTIME, Math.floor((clock.monotonicMs() - kernel.bootMs) / 1000));
  storeI64(mem, SYSINFO_TOTALRAM, kernel.totalMemoryBytes);
  storeI64(mem, SYSINFO_FREERAM, Math.max(0, kernel.totalMemoryBytes - memoryFile.committedBytes()));
  storeI64(mem, SYSINFO_SHAREDRAM, memoryFile.pageCount(UsageKind.TMPFS) * PAGE_BYTES);
  mem.setUint16(SYSINFO_PROCS, Math.min(0xffff, kernel.tasks.taskCount), true);
  mem.setUint32(SYSINFO_MEM_UNIT, 1, true);
  return t.mm.copyOut(infoAddr, scratch, 0, SIZEOF_SYSINFO);
}

/** getrandom(2). Errors: EFAULT, EINVAL. */
export function sysGetrandom(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const len = Math.min(a.u64(1), GETRANDOM_BYTES_MAX);
  const flags = a.u32(2);
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) !== 0) return -EINVAL;
  if ((flags & (GRND_INSECURE | GRND_RANDOM)) === (GRND_INSECURE | GRND_RANDOM)) return -EINVAL;
  const { scratch, random } = t.kernel;
  let moved = 0;
  while (moved < len) {
    const count = Math.min(scratch.length, len - moved);
    random(count === scratch.length ? scratch : scratch.subarray(0, count));
    if (t.mm.copyOut(addr + moved, scratch, 0, count) < 0) return moved > 0 ? moved : -EFAULT;
    moved += count;
  }
  scratch.fill(0, 0, Math.min(scratch.length, len));
  return moved;
}

/** personality(2). Kept and told; no personality changes what the kernel does but ADDR_NO_RANDOMIZE. */
export function sysPersonality(t: Task, a: SyscallArgs): SysResult {
  const persona = a.u32(0);
  const old = t.personality;
  if (persona !== PERSONALITY_QUERY) t.personality = persona;
  return old;
}

/** syslog(2): the ring buffer is empty. Errors: EINVAL, EPERM. */
export function sysSyslog(t: Task, a: SyscallArgs): SysResult {
  const type = a.i32(0);
  if (type < 0 || type > 10) return -EINVAL;
  const isForAnyone = type === SYSLOG_ACTION_READ_ALL || type === SYSLOG_ACTION_SIZE_BUFFER;
  if (!isForAnyone && !t.creds.hasCap(CAP_SYSLOG) && !t.creds.hasCap(CAP_SYS_ADMIN)) return -EPERM;
  if (type === SYSLOG_ACTION_SIZE_BUFFER) return LOG_BUFFER_BYTES;
  return 0;
}

const SYSLOG_ACTION_READ_ALL = 3;
const SYSLOG_ACTION_SIZE_BUFFER = 10;
const LOG_BUFFER_BYTES = 1 << 18;

/** A host or domain name of the guest. Errors: EFAULT, EINVAL, EPERM. */
function loadName(t: Task, addr: number, len: number): string | number {
  if (!t.creds.hasCapIn(t.ns.uts.userNs, CAP_SYS_ADMIN)) return -EPERM;
  if (len < 0 || len > HOST_NAME_MAX) return -EINVAL;
  const { scratch } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, len) < 0) return -EFAULT;
  let name = '';
  for (let i = 0; i < len && scratch[i] !== 0; i++) name += String.fromCharCode(scratch[i]!);
  return name;
}

function storeField(dst: Uint8Array, index: number, text: string): void {
  for (let i = 0; i < text.length && i < UTS_FIELD_BYTES - 1; i++) {
    dst[index * UTS_FIELD_BYTES + i] = text.charCodeAt(i);
  }
}
