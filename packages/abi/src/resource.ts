/** getrlimit(2) and getrusage(2). */

export const RLIMIT_CPU = 0;
export const RLIMIT_FSIZE = 1;
export const RLIMIT_DATA = 2;
export const RLIMIT_STACK = 3;
export const RLIMIT_CORE = 4;
export const RLIMIT_RSS = 5;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9;
export const RLIMIT_LOCKS = 10;
export const RLIMIT_SIGPENDING = 11;
export const RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13;
export const RLIMIT_RTPRIO = 14;
export const RLIMIT_RTTIME = 15;
export const RLIM_NLIMITS = 16;
/** RLIM_INFINITY in memory is all ones; as a number it is Infinity. */
export const RLIM_INFINITY = Infinity;

export const RUSAGE_SELF = 0;
export const RUSAGE_CHILDREN = -1;
export const RUSAGE_THREAD = 1;

/** `struct rlimit`. */
export const SIZEOF_RLIMIT = 16;
/** `struct rusage`. */
export const SIZEOF_RUSAGE = 144;
export const RU_UTIME = 0;
export const RU_STIME = 16;
export const RU_MAXRSS = 32;
export const RU_MINFLT = 64;
export const RU_MAJFLT = 72;
export const RU_NVCSW = 128;
export const RU_NIVCSW = 136;

const ALL_ONES = 0xffffffff;

/** A `rlim_t` field: Infinity for RLIM_INFINITY. */
export function loadRlim(mem: DataView, at: number): number {
  const low = mem.getUint32(at, true);
  const high = mem.getUint32(at + 4, true);
  return low === ALL_ONES && high === ALL_ONES ? Infinity : high * 0x1_0000_0000 + low;
}

/** Stores a `rlim_t` field. */
export function storeRlim(mem: DataView, at: number, value: number): void {
  mem.setUint32(at, value === Infinity ? ALL_ONES : value >>> 0, true);
  mem.setUint32(at + 4, value === Infinity ? ALL_ONES : Math.floor(value / 0x1_0000_0000), true);
}
