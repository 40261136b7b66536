import native from '../native/index.js';

/** Indices of what {@link sampleTsc} stores. */
export const TSC_LOW = 0;
export const TSC_HIGH = 1;
export const TSC_SEC = 2;
export const TSC_NSEC = 3;
/** Elements that the array for {@link sampleTsc} has. */
export const TSC_SAMPLE_COUNT = 4;

/** Clocks of the host. `CLOCK_*` are numbered as in <linux/time.h>. */
export const { clockMs, clockGettime, sampleTsc, rdtsc, hasInvariantTsc } = native;
