import { RU_MAXRSS, RU_NVCSW, RU_STIME, RU_UTIME, SIZEOF_RUSAGE, storeI64, storeTimevalMs } from '@tsv/abi';
import type { CpuTimes } from './cpu-times.js';

/** Writes `struct rusage`, getrusage(2): the sum of two times, the larger resident set, waits. Other fields are 0. */
export function storeRusage(
  mem: DataView,
  at: number,
  times: CpuTimes,
  moreTimes: CpuTimes,
  maxRssBytes: number,
  switchCount: number,
): void {
  for (let i = 0; i < SIZEOF_RUSAGE; i += 4) mem.setUint32(at + i, 0, true);
  storeTimevalMs(mem, at + RU_UTIME, times.userMs + moreTimes.userMs);
  storeTimevalMs(mem, at + RU_STIME, times.systemMs + moreTimes.systemMs);
  storeI64(mem, at + RU_MAXRSS, Math.floor(maxRssBytes / 1024));
  storeI64(mem, at + RU_NVCSW, switchCount);
}
