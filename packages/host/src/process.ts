import native from '../native/index.js';

/** Indices of what {@link getrusage} stores. Times are microseconds. */
export const RUSAGE_UTIME_US = 0;
export const RUSAGE_STIME_US = 1;
export const RUSAGE_MAXRSS_KIB = 2;
export const RUSAGE_MINFLT = 3;
export const RUSAGE_MAJFLT = 4;
export const RUSAGE_INBLOCK = 5;
export const RUSAGE_OUBLOCK = 6;
export const RUSAGE_NVCSW = 7;
export const RUSAGE_NIVCSW = 8;
/** Elements that the array for {@link getrusage} has. */
export const RUSAGE_COUNT = 9;

/** What a process asks of itself: privileges, limits, usage, identity. */
export const {
  setNoNewPrivs,
  getNoNewPrivs,
  setParentDeathSignal,
  setDumpable,
  getrandom,
  usableCpuCount,
  setUsableCpus,
  getrusage,
  getrlimit,
  setrlimit,
  setThreadIdentity,
  gettid,
  cpuid,
} = native;
