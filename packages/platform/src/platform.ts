import type { Errno } from '@tsv/abi';
import type { MemoryFile } from './memory-file.js';
import type { ContextPage } from './registers.js';

/**
 * Runs guest code and stops it at each system call, fault and interrupt. All calls are made by one thread, the
 * kernel's, and none waits for the guest except {@link Platform.sleep}.
 */
export interface Platform {
  /** Name as `--platform` takes it. */
  readonly name: string;
  /** Guest mappings lie in `[minUserAddr, maxUserAddr)`; the platform's own pages are outside. */
  readonly minUserAddr: number;
  readonly maxUserAddr: number;
  /** Bytes of the FP state that {@link Context.loadFp} fills: XSAVE format, not compacted (Intel SDM 1, 13.4). */
  readonly xstateBytes: number;
  /** Where guest code reads the answer of its own thread for getcpu(2); platforms that have no such place do not say. */
  readonly cpuAnswer?: CpuAnswerPlace;

  /** An address space without mappings. Errors: EAGAIN, ENOMEM when the host has no room for another. */
  createAddressSpace(): AddressSpace | Errno;

  /**
   * Index of a context whose guest has stopped since it was resumed, or -1 when none has. Each stop is told once.
   * May spin for a bounded time before it says -1.
   */
  next(): number;

  /**
   * Blocks until a context has stopped, `wake` was called, the event loop has work, or `timeoutMs` (fraction allowed,
   * Infinity for none) have passed. May return early. Returns whether the event loop may have work: it needs a turn.
   * What the loop waits for is known only when nothing else of it is due: in its poll phase, or in a timer's callback.
   */
  sleep(timeoutMs: number): boolean;

  /** Makes a running or coming `sleep` return. Callable from any JavaScript thread. */
  wake(): void;

  /** Ends all guest threads and gives everything back. */
  close(): void;
}

/**
 * The word in which a guest thread finds what {@link Context.answer} was given for getcpu(2), 2^32 - 1 for nothing: `offset`
 * bytes behind its GS base, as long as that is in `[gsStart, gsEnd)`. The thread can read its GS base (FSGSBASE).
 */
export interface CpuAnswerPlace {
  readonly gsStart: number;
  readonly gsEnd: number;
  readonly offset: number;
}

/** The code of an address space as a platform may change it, so that it does the same faster. */
export interface CodeMemory {
  /**
   * Copies `len` bytes at `addr`, which lie in one page, to `dst`. Returns whether they are code that may be replaced:
   * private, executable and not writable.
   */
  read(addr: number, dst: Uint8Array, len: number): boolean;

  /**
   * Replaces bytes of one page for all threads of the address space at once, and for nobody else: a thread may execute
   * there, and finds the old bytes or the new ones. The guest sees the old bytes again when it makes the page writable
   * or moves it. Returns whether it was possible.
   */
  replace(addr: number, bytes: Uint8Array): boolean;
}

/** The host mappings that guest threads of one address space see. */
export interface AddressSpace {
  /** Set by the kernel, for platforms that change code; others ignore it. */
  codeMemory?: CodeMemory;

  /**
   * Whether a guest thread may run on while it claims to have stopped. Then pages that were taken from the address space must
   * not be used again before a {@link flush}, even if it has one thread.
   */
  readonly canFeignStops?: boolean;

  /**
   * Maps `len` bytes of the memory file from page `pfn` at `addr`, shared, in place of what was there. Page-aligned.
   * Changes are queued and reach the guest in order, before any of its threads runs again.
   */
  mapMemory(addr: number, len: number, prot: number, pfn: number): void;

  /** Maps a host file; `prot` without PROT_WRITE unless `isShared`. The descriptor may be closed after the next `flush`. */
  mapHostFile(addr: number, len: number, prot: number, hostFd: number, fileOffset: number, isShared: boolean): void;

  /** Unmaps a range; holes in it are skipped. */
  unmap(addr: number, len: number): void;

  /** Changes the protection of a range that is mapped throughout. */
  protect(addr: number, len: number, prot: number): void;

  /**
   * Carries the queued changes out now. It needs a thread of the address space that is stopped (there always is one
   * while the kernel serves its system call); without one they stay queued, and it returns 0. Errors: ENOMEM and what
   * mmap(2) says; what followed the failed change stays undone.
   */
  flush(): number;

  /**
   * Copies the address space: the queued changes are carried out, then every mapping is the copy's too (shared:
   * copy-on-write is the kernel's business, by {@link protect} before). Errors: EAGAIN, ENOMEM.
   */
  fork(): AddressSpace | Errno;

  /**
   * A new guest thread in this address space, stopped. Registers are zero and the FP state is the initial one, or
   * both are those of `from`. Errors: EAGAIN, ENOMEM.
   */
  createContext(from: Context | null): Context | Errno;

  /** Ends the address space; its contexts were released before. */
  release(): void;
}

/** A guest thread as the platform sees it. */
export interface Context {
  readonly page: ContextPage;

  /**
   * Lets the stopped guest run; its next stop comes out of {@link Platform.next}. It may begin only with the next call of
   * `next` or `sleep`.
   */
  resume(): void;

  /** Makes a running guest stop soon with REASON_INTERRUPTED, unless it stops for another reason first. */
  interrupt(): void;

  /** Copies the stopped guest's FP state to `dst` at `at` (`xstateBytes` bytes). */
  loadFp(dst: Uint8Array, at: number): void;

  /** Sets the stopped guest's FP state. Errors: EINVAL when the header or MXCSR in it is not valid. */
  storeFp(src: Uint8Array, at: number): number;

  /** Sets the initial FP state, as after execve(2). */
  resetFp(): void;

  /**
   * Lets the platform answer call `nr` of this guest with `result`, 0 to 2^32 - 2, without telling it, until
   * {@link forgetAnswers}. Platforms that cannot do not have it.
   */
  answer?(nr: number, result: number): void;

  /** Calls are told again. The guest may run. */
  forgetAnswers?(): void;

  /** Ends the guest thread, running or stopped. No stop of it is told after this. */
  release(): void;
}

/** What a platform needs from its environment. */
export interface PlatformOptions {
  readonly memoryFile: MemoryFile;
  /** An opened device such as /dev/kvm, or -1. */
  readonly deviceFd: number;
  /** Whether it may change the guest's code by way of {@link CodeMemory}. */
  readonly mayPatchCode?: boolean;
  /** Whether it may use what {@link Context.answer} gives it; it may unless this is false. */
  readonly mayAnswerCalls?: boolean;
}

/** How a platform is found: its package registers one of these. */
export interface PlatformType {
  readonly name: string;
  /** One sentence for `tsv help platforms`. */
  readonly description: string;
  /** Why it cannot run here and what to do about it, or null when it can. */
  unavailableReason(): string | null;
  create(options: PlatformOptions): Platform;
}
