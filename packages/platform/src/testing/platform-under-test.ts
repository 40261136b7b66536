import type { MemoryFile } from '../memory-file.js';
import type { Platform } from '../platform.js';

/** A platform that runs guests in stub processes, as the suites of this folder test it. */
export interface PlatformUnderTest {
  readonly create: (memoryFile: MemoryFile) => Platform;
  /** As {@link PlatformType.unavailableReason}. */
  readonly unavailableReason: () => string | null;

  /** Where the stub's code begins, and how many bytes from there a guest may jump to. */
  readonly stubCode: number;
  /** The page from which the stub reads the changes of its address space; guests can read it. */
  readonly stubControl: number;
  /** Addresses to which guests can not write: of the stub's pages and beside them. */
  readonly protectedAddresses: readonly number[];
  /** The stub's own lines of `/proc/PID/maps` behind those of a guest with one thread: range and rights. */
  readonly stubMappings: readonly string[];
  /** What the descriptors of a stub refer to, digits left out. */
  readonly stubDescriptors: readonly unknown[];
  /** Threads of a stub process beside those of its guest's that run or are kept. */
  readonly helperThreadCount: number;
  /** Signals from others that a stub process goes on after; the suite sends them while its guest runs. */
  readonly harmlessSignals: readonly NodeJS.Signals[];

  /** For a process that is started as a sentry to be killed: JavaScript, with Node.js's `require` at hand. */
  readonly script: {
    /** The addon's module. */
    readonly addon: string;
    /** An expression: the addon's stubs, with `native` and the memory file's descriptor `file`. */
    readonly createStubs: string;
    /** Lets the first of `contexts` run; `stubs` and its `memory` of registers are there too. */
    readonly resume: string;
    /** Host processes that are there then. */
    readonly processCount: number;
  };
}
