import type { WatchdogAction } from '@tsv/host';

/** Which mounts of host files are never written to, as runsc's `--overlay2`: what guests write lies elsewhere. */
export type OverlayMode = 'none' | 'root' | 'all';

/** Where that is: in memory, in a hidden directory of the mount's own, or in one beneath the directory of this path. */
export type OverlayMedium = 'memory' | 'self' | `/${string}`;

/** Whether others change host files meanwhile, as runsc's `--file-access`: shared names are looked up again each time. */
export type FileAccess = 'exclusive' | 'shared';

/**
 * Whether guests connect to sockets of the host by their names in its filesystems (open), and what they bind there has its
 * name on the host too (create), as runsc's `--host-uds`.
 */
export type HostUds = 'none' | 'open' | 'create' | 'all';

/** How guests reach a network. */
export type NetworkMode = 'none' | 'host' | 'sandbox';

/** What the command line decides about a sandbox, beside the container's own configuration. */
export interface RuntimeConfig {
  /** Name of the platform that is to run guest code, or `auto`. */
  readonly platform: string;
  /** Whether it may rewrite system call instructions that a program executes often. */
  readonly mayPatchCode: boolean;
  /** Whether it may answer calls such as getpid(2) without the kernel. */
  readonly mayAnswerCalls: boolean;
  readonly network: NetworkMode;
  /** Whether packets on the sandbox's own network are logged, a line each. */
  readonly isLoggingPackets: boolean;
  /** File that is written those packets to, in the pcapng format; null for none. */
  readonly pcapFile: string | null;
  /** Whether guests may be given CAP_NET_RAW. */
  readonly hasNetRaw: boolean;
  readonly overlay: OverlayMode;
  readonly overlayMedium: OverlayMedium;
  /** What the files of an overlay may take; null for half of the memory that guests see, or what the host's disk has. */
  readonly overlayBytesMax: number | null;
  /** Of the root filesystem, and of what is mounted from the host. */
  readonly fileAccess: FileAccess;
  readonly fileAccessMounts: FileAccess;
  /** Names of files that a sandbox remembers though nobody uses them; null for a default. */
  readonly dentryCountMax: number | null;
  /** Whether guests open FIFOs of the host that are mounted, or have pipes of their own there, as runsc's `--host-fifo`. */
  readonly hostFifo: 'none' | 'open';
  readonly hostUds: HostUds;
  /** Whether guests see as many CPUs as their quota of CPU time pays for. */
  readonly countsCpusOfQuota: boolean;
  /** Whether containers stay in the control group of whoever makes them, without limits of their own. */
  readonly ignoresCgroups: boolean;
  /** Directory of the state of containers. */
  readonly rootDir: string;
  readonly log: LogConfig;
  /** System calls to log; null for none, an empty list for all. */
  readonly straceNames: readonly string[] | null;
  /** Bytes of a buffer that the system call log shows. */
  readonly straceDataBytesMax: number;
  /** Whether the sentry opens host files itself, beneath descriptors of their roots; else its gofer opens them. */
  readonly isDirectfs: boolean;
  /** Whether `linux.seccomp` of a container's configuration is applied to it. */
  readonly isOciSeccomp: boolean;
  /** The sentry has no seccomp filters: for debugging it. */
  readonly isSeccompDisabled: boolean;
  readonly watchdog: WatchdogConfig;
  /** How long whoever makes a container waits for the sandbox. */
  readonly createTimeoutMs: number;
  /** The signal on which the sentry says where everything is, and ends; null for none. */
  readonly panicSignal: number | null;
  /** What is done about objects of the kernel that are left when all guests have ended. */
  readonly leakMode: LeakMode;
  /** File for the sentry's code coverage in V8's format; null for none. */
  readonly coverageFile: string | null;
}

/** What becomes of a kernel that does not come back from one thing that it does for a guest. */
export interface WatchdogConfig {
  readonly action: WatchdogAction;
  readonly timeoutMs: number;
}

/** As runsc's `--ref-leak-mode`: nothing, a line each in the log, or those and the exit status of a failure. */
export type LeakMode = 'disabled' | 'log-names' | 'panic';

/** Where log lines go and which. */
export interface LogConfig {
  readonly isDebug: boolean;
  /**
   * Where log lines go: a file, in whose path %ID%, %TIMESTAMP% and %COMMAND% are replaced, or a directory for files of these
   * names, which ends with "/" or is there; null for standard error.
   */
  readonly path: string | null;
  readonly format: 'text' | 'json';
}
