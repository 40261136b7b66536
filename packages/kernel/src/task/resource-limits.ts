import {
  RLIM_INFINITY,
  RLIM_NLIMITS,
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from '@tsv/abi';

/** Soft and hard limits of a process by RLIMIT_*, getrlimit(2). Infinity stands for RLIM_INFINITY. */
export class ResourceLimits {
  readonly #soft: number[] = new Array<number>(RLIM_NLIMITS).fill(RLIM_INFINITY);
  readonly #hard: number[] = new Array<number>(RLIM_NLIMITS).fill(RLIM_INFINITY);

  /** What a process starts with on Linux. */
  static defaults(): ResourceLimits {
    const limits = new ResourceLimits();
    limits.set(RLIMIT_STACK, 8 * 1024 * 1024, RLIM_INFINITY);
    limits.set(RLIMIT_CORE, 0, RLIM_INFINITY);
    limits.set(RLIMIT_NPROC, DEFAULT_TASKS, DEFAULT_TASKS);
    limits.set(RLIMIT_NOFILE, 1024, 1024 * 1024);
    limits.set(RLIMIT_MEMLOCK, 8 * 1024 * 1024, 8 * 1024 * 1024);
    limits.set(RLIMIT_SIGPENDING, DEFAULT_TASKS, DEFAULT_TASKS);
    limits.set(RLIMIT_MSGQUEUE, 819200, 819200);
    limits.set(RLIMIT_NICE, 0, 0);
    limits.set(RLIMIT_RTPRIO, 0, 0);
    return limits;
  }

  soft(resource: number): number {
    return this.#soft[resource]!;
  }

  hard(resource: number): number {
    return this.#hard[resource]!;
  }

  set(resource: number, soft: number, hard: number): void {
    this.#soft[resource] = soft;
    this.#hard[resource] = hard;
  }

  fork(): ResourceLimits {
    const copy = new ResourceLimits();
    for (let resource = 0; resource < RLIM_NLIMITS; resource++) {
      copy.set(resource, this.soft(resource), this.hard(resource));
    }
    return copy;
  }
}

/** RLIMIT_NPROC and RLIMIT_SIGPENDING: what Linux gives on a machine with 8 GiB. */
const DEFAULT_TASKS = 31780;
