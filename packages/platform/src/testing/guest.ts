import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PAGE_BYTES, type MemoryFile } from '../memory-file.js';
import type { AddressSpace, CodeMemory, Context, Platform } from '../platform.js';
import { REG_RIP, REG_RSP } from '../context-layout.generated.js';

const MEMORY_PAGES = 4096;

/** A file that guests map, read and written by the test with system calls. */
export class TestMemory {
  readonly fd: number;
  #nextPfn = 0;

  constructor() {
    const dir = mkdtempSync(join(tmpdir(), 'tsv-platform-'));
    this.fd = openSync(join(dir, 'memory'), 'wx+');
    rmSync(dir, { recursive: true });
    ftruncateSync(this.fd, MEMORY_PAGES * PAGE_BYTES);
  }

  allocate(pageCount: number): number {
    const pfn = this.#nextPfn;
    this.#nextPfn += pageCount;
    if (this.#nextPfn > MEMORY_PAGES) throw new Error('the test needs more memory');
    return pfn;
  }

  write(pfn: number, at: number, bytes: Uint8Array): void {
    writeSync(this.fd, bytes, 0, bytes.length, pfn * PAGE_BYTES + at);
  }

  read(pfn: number, at: number, len: number): Buffer {
    const bytes = Buffer.alloc(len);
    readSync(this.fd, bytes, 0, len, pfn * PAGE_BYTES + at);
    return bytes;
  }

  close(): void {
    closeSync(this.fd);
  }
}

export const CODE = 0x40_0000;
export const DATA = 0x60_0000;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;

/** A platform with memory, and what tests do with them. */
export class Guest {
  readonly memory = new TestMemory();
  readonly platform: Platform;
  readonly #codes = new Map<AddressSpace, GuestCode>();

  constructor(createPlatform: (memoryFile: MemoryFile) => Platform) {
    this.platform = createPlatform({ fd: this.memory.fd } as MemoryFile);
  }

  /** An address space with `code` at {@link CODE} and a page to write at {@link DATA}. */
  space(code: readonly number[]): { space: AddressSpace; dataPfn: number } {
    const space = must(this.platform.createAddressSpace());
    this.#codes.set(space, new GuestCode(this.memory, space, this.mapCode(space, CODE, code)));
    const dataPfn = this.memory.allocate(1);
    space.mapMemory(DATA, PAGE_BYTES, PROT_READ | PROT_WRITE, dataPfn);
    return { space, dataPfn };
  }

  /** A copy of an address space that {@link space} has made. */
  fork(space: AddressSpace): AddressSpace {
    const copy = must(space.fork());
    this.#codes.set(copy, new GuestCode(this.memory, copy, this.#codes.get(space)!.pfn));
    return copy;
  }

  mapCode(space: AddressSpace, addr: number, code: readonly number[]): number {
    const pfn = this.memory.allocate(1);
    this.memory.write(pfn, 0, Uint8Array.from(code));
    space.mapMemory(addr, PAGE_BYTES, PROT_READ | PROT_EXEC, pfn);
    return pfn;
  }

  /** A thread that begins at {@link CODE}. */
  thread(space: AddressSpace): Context {
    const context = must(space.createContext(null));
    context.page.set(REG_RIP, CODE);
    context.page.set(REG_RSP, DATA + PAGE_BYTES);
    return context;
  }

  /** Lets a context run to its next stop, the only one to come. */
  step(context: Context): void {
    context.resume();
    const index = this.nextStop();
    if (index !== context.page.index) throw new Error(`context ${index} stopped`);
  }

  /** The next context to stop. */
  nextStop(): number {
    const end = Date.now() + 5000;
    while (Date.now() < end) {
      const index = this.platform.next();
      if (index >= 0) return index;
      this.platform.sleep(100);
    }
    throw new Error('no guest has stopped');
  }

  close(): void {
    this.platform.close();
    this.memory.close();
  }
}

/** The page of code at {@link CODE}, in whose place copies are mapped. */
class GuestCode implements CodeMemory {
  readonly #memory: TestMemory;
  readonly #space: AddressSpace;
  pfn: number;

  constructor(memory: TestMemory, space: AddressSpace, pfn: number) {
    this.#memory = memory;
    this.#space = space;
    this.pfn = pfn;
    space.codeMemory = this;
  }

  read(addr: number, dst: Uint8Array, len: number): boolean {
    if (addr < CODE || addr + len > CODE + PAGE_BYTES) return false;
    dst.set(this.#memory.read(this.pfn, addr - CODE, len));
    return true;
  }

  replace(addr: number, bytes: Uint8Array): boolean {
    const page = this.#memory.read(this.pfn, 0, PAGE_BYTES);
    page.set(bytes, addr - CODE);
    this.pfn = this.#memory.allocate(1);
    this.#memory.write(this.pfn, 0, page);
    this.#space.mapMemory(CODE, PAGE_BYTES, PROT_READ | PROT_EXEC, this.pfn);
    return this.#space.flush() === 0;
  }
}

/** What an operation made, which must not be an error. */
export function must<T>(result: T | number): T {
  if (typeof result === 'number') throw new Error(`failed with errno ${-result}`);
  return result;
}
