import {
  AT_BASE,
  AT_CLKTCK,
  AT_EGID,
  AT_ENTRY,
  AT_EUID,
  AT_EXECFN,
  AT_FLAGS,
  AT_GID,
  AT_HWCAP,
  AT_HWCAP2,
  AT_MINSIGSTKSZ,
  AT_NULL,
  AT_PAGESZ,
  AT_PHDR,
  AT_PHENT,
  AT_PHNUM,
  AT_PLATFORM,
  AT_RANDOM,
  AT_SECURE,
  AT_SYSINFO_EHDR,
  AT_UID,
  E2BIG,
  ENOMEM,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_STACK,
  SIZEOF_PHDR,
  storeI64,
  type Errno,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import type { Random } from '../layout.js';
import { Placement } from '../map-request.js';
import type { Mm } from '../mm.js';
import { pageCeil } from '../pma.js';
import { VM_GROWSDOWN } from '../vma.js';

/** What the new program finds on its stack. */
export interface ProgramStart {
  /** Name by which the program was executed. */
  readonly execName: string;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly uid: number;
  readonly euid: number;
  readonly gid: number;
  readonly egid: number;
  readonly isSecure: boolean;
  /** Where the interpreter is loaded, 0 without one. */
  readonly interpreterBase: number;
  readonly phdrAddr: number;
  readonly phdrCount: number;
  /** The program's own entry point. */
  readonly entry: number;
  readonly hasExecutableStack: boolean;
  readonly signalFrameBytes: number;
}

/** What every x86-64 CPU has of CPUID(1).EDX: FPU to PSE-36, CLFLUSH, MMX, FXSR, SSE, SSE2. */
const HWCAP_BASELINE = 0x078b_fbff;
/** `sysconf(_SC_CLK_TCK)`. */
const CLOCK_TICKS = 100;
const PLATFORM_NAME = 'x86_64';
const RANDOM_BYTES = 16;
/** Stack below the arguments that is mapped from the start, as Linux has it: 128 KiB. */
const STACK_ROOM_BYTES = 32 * PAGE_BYTES;
/** Up to this much the stack pointer varies within the first pages. */
const STACK_POINTER_RANDOM_BYTES = 8192;

/**
 * Maps the stack of a new program and fills it as the ABI says (System V psABI, 3.4.1). Returns the stack pointer.
 * Errors: E2BIG, ENOMEM.
 */
export function makeInitialStack(mm: Mm, start: ProgramStart, random: Random, isRandomized: boolean): number {
  const top = mm.layout.stackTop;
  const stringBytes = stringTotal(start);
  const wordCount = 1 + start.argv.length + 1 + start.envp.length + 1 + 2 * AUXV_COUNT_MAX;
  const bytes = pageCeil(stringBytes + wordCount * 8 + STACK_POINTER_RANDOM_BYTES + PAGE_BYTES);
  const limit = mm.limits.soft(RLIMIT_STACK);
  if (bytes > limit) return -E2BIG;
  const status = mapStack(
    mm,
    top,
    Math.max(bytes, Math.min(bytes + STACK_ROOM_BYTES, limit)),
    start.hasExecutableStack,
  );
  if (status < 0) return status;
  return new StackWriter(mm, top).write(start, random, isRandomized);
}

const AUXV_COUNT_MAX = 24;

function stringTotal(start: ProgramStart): number {
  let total = start.execName.length + 1 + PLATFORM_NAME.length + 1 + RANDOM_BYTES;
  for (const text of start.argv) total += text.length + 1;
  for (const text of start.envp) total += text.length + 1;
  return total;
}

function mapStack(mm: Mm, top: number, bytes: number, isExecutable: boolean): 0 | Errno {
  const len = pageCeil(bytes);
  const addr = mm.map({
    addr: top - len,
    len,
    prot: PROT_READ | PROT_WRITE | (isExecutable ? PROT_EXEC : 0),
    flags: VM_GROWSDOWN,
    placement: Placement.FIXED_NOREPLACE,
    mappable: null,
    file: null,
    offset: 0,
    name: '[stack]',
    mustPopulate: false,
  });
  return addr < 0 ? -ENOMEM : 0;
}

/** Writes downwards from the top of the stack. */
class StackWriter {
  readonly #mm: Mm;
  #at: number;

  constructor(mm: Mm, top: number) {
    this.#mm = mm;
    this.#at = top - 8;
  }

  write(start: ProgramStart, random: Random, isRandomized: boolean): number {
    const mm = this.#mm;
    const execNameAddr = this.#string(start.execName);
    mm.envEnd = this.#at;
    const envAddrs = this.#strings(start.envp);
    mm.envStart = mm.argEnd = this.#at;
    const argAddrs = this.#strings(start.argv);
    mm.argStart = this.#at;
    const seed = new Uint8Array(RANDOM_BYTES + 4);
    random(seed);
    if (isRandomized) this.#at -= new DataView(seed.buffer).getUint32(RANDOM_BYTES, true) % STACK_POINTER_RANDOM_BYTES;
    const platformAddr = this.#string(PLATFORM_NAME);
    this.#at -= this.#at % 16;
    const randomAddr = this.#bytes(seed.subarray(0, RANDOM_BYTES));

    const auxv = auxiliaryVector(mm, start, execNameAddr, platformAddr, randomAddr);
    const words = [argAddrs.length, ...argAddrs, 0, ...envAddrs, 0];
    const block = new Uint8Array(words.length * 8 + auxv.length);
    const view = new DataView(block.buffer);
    for (const [i, word] of words.entries()) storeI64(view, i * 8, word);
    block.set(auxv, words.length * 8);
    this.#at -= block.length;
    this.#at -= this.#at % 16;
    mm.auxv = auxv;
    mm.stackStart = this.#at;
    return mm.copyOut(this.#at, block, 0, block.length) < 0 ? -ENOMEM : this.#at;
  }

  /** Writes strings so that they lie in ascending order. Returns their addresses. */
  #strings(texts: readonly string[]): number[] {
    const addrs = new Array<number>(texts.length);
    for (let i = texts.length - 1; i >= 0; i--) addrs[i] = this.#string(texts[i]!);
    return addrs;
  }

  #string(text: string): number {
    const bytes = new Uint8Array(text.length + 1);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return this.#bytes(bytes);
  }

  #bytes(bytes: Uint8Array): number {
    this.#at -= bytes.length;
    // The pages were mapped for all that is written; if memory runs out, the last write says so.
    this.#mm.copyOut(this.#at, bytes, 0, bytes.length);
    return this.#at;
  }
}

function auxiliaryVector(
  mm: Mm,
  start: ProgramStart,
  execNameAddr: number,
  platformAddr: number,
  randomAddr: number,
): Uint8Array {
  const entries: [number, number][] = [
    [AT_MINSIGSTKSZ, start.signalFrameBytes],
    [AT_HWCAP, HWCAP_BASELINE],
    [AT_PAGESZ, PAGE_BYTES],
    [AT_CLKTCK, CLOCK_TICKS],
    [AT_PHDR, start.phdrAddr],
    [AT_PHENT, SIZEOF_PHDR],
    [AT_PHNUM, start.phdrCount],
    [AT_BASE, start.interpreterBase],
    [AT_FLAGS, 0],
    [AT_ENTRY, start.entry],
    [AT_UID, start.uid],
    [AT_EUID, start.euid],
    [AT_GID, start.gid],
    [AT_EGID, start.egid],
    [AT_SECURE, start.isSecure ? 1 : 0],
    [AT_RANDOM, randomAddr],
    [AT_HWCAP2, 0],
    [AT_EXECFN, execNameAddr],
    [AT_PLATFORM, platformAddr],
    [AT_NULL, 0],
  ];
  if (mm.vdsoAddr !== 0) entries.unshift([AT_SYSINFO_EHDR, mm.vdsoAddr]);
  const bytes = new Uint8Array(entries.length * 16);
  const view = new DataView(bytes.buffer);
  for (const [i, [type, value]] of entries.entries()) {
    storeI64(view, i * 16, type);
    storeI64(view, i * 16 + 8, value);
  }
  return bytes;
}
