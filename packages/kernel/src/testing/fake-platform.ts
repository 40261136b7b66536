import { ENOMEM, type Errno } from '@tsv/abi';
import {
  CONTEXT_BYTES,
  CONTEXT_FAULT_ADDR,
  CONTEXT_FAULT_ERROR,
  CONTEXT_FAULT_TRAPNO,
  CONTEXT_REASON,
  CONTEXT_RESTART_IP,
  CONTEXT_SIGNO,
  CONTEXT_SIG_CODE,
  ContextPage,
  REASON_FAULT,
  REASON_INTERRUPTED,
  REASON_SYSCALL,
  REG_CS,
  REG_EFLAGS,
  REG_ORIG_RAX,
  REG_RIP,
  REG_SS,
  type AddressSpace,
  type Context,
  type Platform,
} from '@tsv/platform';

const CONTEXT_COUNT_MAX = 256;
/** FXSAVE area, XSAVE header and AVX. */
const XSTATE_BYTES = 832;

/** One change of an address space, as the kernel asked for it. */
export interface FakeMapping {
  readonly op: 'memory' | 'file' | 'unmap' | 'protect';
  readonly addr: number;
  readonly len: number;
  readonly prot: number;
  readonly pfn: number;
}

/** A platform that runs nothing: a test plays the guest by writing registers and saying why it stopped. */
export class FakePlatform implements Platform {
  readonly name = 'fake';
  readonly minUserAddr = 0x1_0000;
  readonly maxUserAddr = 0x7fff_ffff_f000;
  readonly xstateBytes = XSTATE_BYTES;
  readonly memory = new Uint32Array((CONTEXT_BYTES / 4) * CONTEXT_COUNT_MAX);
  readonly #stopped: number[] = [];
  readonly #free: number[] = [];
  #nextIndex = 0;
  /** Contexts and address spaces that were not released: 0 when nothing leaked. */
  contextCount = 0;
  addressSpaceCount = 0;

  createAddressSpace(): FakeAddressSpace {
    return new FakeAddressSpace(this);
  }

  next(): number {
    return this.#stopped.shift() ?? -1;
  }

  sleep(): boolean {
    return false;
  }

  wake(): void {}

  close(): void {}

  /** The guest of context `index` stops. */
  stop(index: number): void {
    this.#stopped.push(index);
  }

  cancelStops(index: number): void {
    for (let at = this.#stopped.indexOf(index); at >= 0; at = this.#stopped.indexOf(index)) this.#stopped.splice(at, 1);
  }

  takeIndex(): number {
    const index = this.#free.pop() ?? this.#nextIndex++;
    return index < CONTEXT_COUNT_MAX ? index : -ENOMEM;
  }

  giveIndex(index: number): void {
    this.#free.push(index);
  }
}

/** Remembers what was mapped; there is no memory behind it. */
export class FakeAddressSpace implements AddressSpace {
  readonly #platform: FakePlatform;
  readonly changes: FakeMapping[] = [];
  /** What the next `flush` returns. */
  flushResult = 0;

  constructor(platform: FakePlatform) {
    this.#platform = platform;
    platform.addressSpaceCount++;
  }

  mapMemory(addr: number, len: number, prot: number, pfn: number): void {
    this.changes.push({ op: 'memory', addr, len, prot, pfn });
  }

  mapHostFile(addr: number, len: number, prot: number, hostFd: number): void {
    this.changes.push({ op: 'file', addr, len, prot, pfn: hostFd });
  }

  unmap(addr: number, len: number): void {
    if (addr < this.#platform.minUserAddr || addr + len > this.#platform.maxUserAddr) {
      throw new Error("FakeAddressSpace.unmap: the range is not the guest's");
    }
    this.changes.push({ op: 'unmap', addr, len, prot: 0, pfn: -1 });
  }

  protect(addr: number, len: number, prot: number): void {
    this.changes.push({ op: 'protect', addr, len, prot, pfn: -1 });
  }

  flush(): number {
    return this.flushResult;
  }

  fork(): AddressSpace {
    return new FakeAddressSpace(this.#platform);
  }

  createContext(from: Context | null): Context | Errno {
    const index = this.#platform.takeIndex();
    return index < 0 ? index : new FakeContext(this.#platform, index, from as FakeContext | null);
  }

  release(): void {
    this.#platform.addressSpaceCount--;
  }
}

/** A guest thread that a test plays. */
export class FakeContext implements Context {
  readonly page: ContextPage;
  readonly fp = new Uint8Array(XSTATE_BYTES);
  /** Whether the kernel has let the guest run. */
  isRunning = false;
  isReleased = false;
  /** What the platform may answer by itself. */
  readonly answers = new Map<number, number>();
  readonly #platform: FakePlatform;
  readonly #u32: Uint32Array;

  constructor(platform: FakePlatform, index: number, from: FakeContext | null) {
    this.#platform = platform;
    this.page = new ContextPage(platform.memory, index);
    const base = (index * CONTEXT_BYTES) / 4;
    this.#u32 = platform.memory.subarray(base, base + CONTEXT_BYTES / 4);
    this.#u32.fill(0);
    platform.contextCount++;
    if (from !== null) {
      this.page.copyRegisters(from.page);
      this.fp.set(from.fp);
      return;
    }
    this.page.set(REG_CS, 0x33);
    this.page.set(REG_SS, 0x2b);
    this.page.set(REG_EFLAGS, 0x202);
  }

  answer(nr: number, result: number): void {
    this.answers.set(nr, result);
  }

  forgetAnswers(): void {
    this.answers.clear();
  }

  resume(): void {
    if (this.isReleased) throw new Error('FakeContext.resume: the context was released');
    if (this.isRunning) throw new Error('FakeContext.resume: the guest runs already');
    this.isRunning = true;
  }

  interrupt(): void {
    if (this.isRunning) this.#stop(REASON_INTERRUPTED);
  }

  /** The guest executes `syscall` with the number and arguments that are in its registers. */
  stopForSyscall(nr: number): void {
    this.page.set(REG_ORIG_RAX, nr);
    this.page.set(CONTEXT_RESTART_IP, this.page.get(REG_RIP));
    this.page.set(REG_RIP, this.page.get(REG_RIP) + 2);
    this.#stop(REASON_SYSCALL);
  }

  /** The guest faults. */
  stopForFault(signo: number, code: number, addr: number, error: number, trapno: number): void {
    this.#u32[CONTEXT_SIGNO / 4] = signo;
    this.#u32[CONTEXT_SIG_CODE / 4] = code;
    this.page.set(CONTEXT_FAULT_ADDR, addr);
    this.#u32[CONTEXT_FAULT_ERROR / 4] = error;
    this.#u32[CONTEXT_FAULT_TRAPNO / 4] = trapno;
    this.#stop(REASON_FAULT);
  }

  loadFp(dst: Uint8Array, at: number): void {
    dst.set(this.fp, at);
  }

  storeFp(src: Uint8Array, at: number): number {
    this.fp.set(src.subarray(at, at + XSTATE_BYTES));
    return 0;
  }

  resetFp(): void {
    this.fp.fill(0);
  }

  release(): void {
    if (this.isReleased) throw new Error('FakeContext.release: released already');
    this.isReleased = true;
    this.#platform.cancelStops(this.page.index);
    this.#platform.giveIndex(this.page.index);
    this.#platform.contextCount--;
  }

  #stop(reason: number): void {
    this.isRunning = false;
    this.#u32[CONTEXT_REASON / 4] = reason;
    this.#platform.stop(this.page.index);
  }
}
