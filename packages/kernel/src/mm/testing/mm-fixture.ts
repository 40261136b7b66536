import { EFAULT, PROT_READ, PROT_WRITE } from '@tsv/abi';
import { PAGE_BYTES, chunkAt } from '@tsv/platform';
import type { Caller, Mappable, OpenFile } from '@tsv/vfs';
import { ResourceLimits } from '../../task/resource-limits.js';
import { HeapMemoryFile } from '../../testing/heap-memory-file.js';
import { hostProt } from '../address-map.js';
import { Placement, type MapRequest } from '../map-request.js';
import { Mm } from '../mm.js';
import { MirrorAddressSpace, type MirrorPage } from './mirror-address-space.js';

export const MIN_ADDR = 0x1_0000;
export const MAX_ADDR = 0x7fff_ffff_f000;
export const MMAP_BASE = 0x7000_0000_0000;

/** Nobody: files of these tests check no rights. */
export const READER = {
  creds: { fsuid: 0, fsgid: 0, inGroup: () => true, hasCap: () => true },
  umask: 0,
  memory: { copyIn: () => -EFAULT, copyOut: () => -EFAULT },
} as unknown as Caller;

/** An Mm over a heap and a mirror, whose guest a test plays. */
export class MmFixture {
  readonly memory: HeapMemoryFile;
  readonly mm: Mm;

  constructor(memory = new HeapMemoryFile(), mm?: Mm) {
    this.memory = memory;
    this.mm =
      mm ??
      new Mm({
        memory,
        space: new MirrorAddressSpace(),
        layout: {
          minAddr: MIN_ADDR,
          maxAddr: MAX_ADDR,
          stackTop: MAX_ADDR,
          mmapBase: MMAP_BASE,
          programBase: 0x5555_5555_4000,
        },
        limits: ResourceLimits.defaults(),
        reader: READER,
      });
  }

  get mirror(): MirrorAddressSpace {
    const { addressSpace } = this.mm;
    if (!(addressSpace instanceof MirrorAddressSpace)) throw new Error('MmFixture: an address space of another kind');
    return addressSpace;
  }

  map(request: Partial<MapRequest>): number {
    return this.mm.map({
      addr: 0,
      len: PAGE_BYTES,
      prot: PROT_READ | PROT_WRITE,
      flags: 0,
      placement: Placement.ANYWHERE,
      mappable: null,
      file: null,
      offset: 0,
      name: '',
      mustPopulate: false,
      ...request,
    });
  }

  fork(): MmFixture {
    const child = this.mm.fork();
    if (typeof child === 'number') throw new Error(`fork: ${child}`);
    return new MmFixture(this.memory, child);
  }

  /** The guest loads the byte at `addr`: its value, or the errno of the fault. Memory pages only. */
  guestLoad(addr: number): number {
    const page = this.#access(addr, false);
    return typeof page === 'number' ? page : this.memory.chunks[0]![chunkAt(page.pfn) + (addr % PAGE_BYTES)]!;
  }

  /** The guest stores a byte; 0 or the errno of the fault. */
  guestStore(addr: number, value: number): number {
    const page = this.#access(addr, true);
    if (typeof page === 'number') return page;
    this.memory.chunks[0]![chunkAt(page.pfn) + (addr % PAGE_BYTES)] = value;
    return 0;
  }

  /** Compares the mirror with what VMAs and PMAs say; returns the differences. */
  mismatches(): string[] {
    const wanted = new Map<number, MirrorPage>();
    const { vmas, pmas } = this.mm.addressMap;
    for (const vma of vmas.items) {
      for (let at = vma.start; at < vma.end; at += PAGE_BYTES) {
        const pma = pmas.at(at);
        if (pma !== null) {
          const prot = hostProt(vma.prot, pma.isCow);
          wanted.set(at, { prot, pfn: pma.pfnAt(at), hostFd: -1, fileOffset: 0, isShared: true });
        } else if (vma.isHostMapped) {
          const prot = vma.isShared ? vma.prot : hostProt(vma.prot, true);
          const { hostFd } = vma.mappable!;
          wanted.set(at, { prot, pfn: -1, hostFd, fileOffset: vma.offsetOf(at), isShared: vma.isShared });
        }
      }
    }
    const differences: string[] = [];
    for (const [at, page] of wanted) {
      const actual = this.mirror.pages.get(at);
      if (JSON.stringify(actual) !== JSON.stringify(page)) {
        differences.push(`${at.toString(16)}: ${JSON.stringify(actual)}, not ${JSON.stringify(page)}`);
      }
    }
    for (const at of this.mirror.pages.keys()) if (!wanted.has(at)) differences.push(`${at.toString(16)}: left over`);
    return differences;
  }

  #access(addr: number, isWrite: boolean): MirrorPage | number {
    const needed = isWrite ? PROT_WRITE : PROT_READ | PROT_WRITE;
    for (let tries = 0; tries < 3; tries++) {
      const page = this.mirror.pages.get(addr - (addr % PAGE_BYTES));
      if (page !== undefined && (page.prot & needed) !== 0) return page;
      const status = this.mm.handleFault(addr, isWrite, false);
      if (status < 0) return status;
    }
    throw new Error(`The guest faults at ${addr.toString(16)} for ever`);
  }
}

/** A host file of `bytes`, as a file and as its own mappable. */
export class FakeHostFile implements Mappable {
  readonly hostFd: number;
  bytes: Uint8Array;
  runCount = 0;
  mappingCount = 0;
  refCount = 0;
  readCount = 0;
  isKnown = false;

  constructor(hostFd: number, bytes: Uint8Array) {
    this.hostFd = hostFd;
    this.bytes = bytes;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  isKnownToMap(): boolean {
    return this.isKnown;
  }
  wasMapped(): void {
    this.isKnown = true;
  }
  pageRun(): number {
    throw new Error('pageRun of a host file');
  }
  addMapping(): void {
    this.mappingCount++;
  }
  removeMapping(): void {
    this.mappingCount--;
  }

  get file(): OpenFile {
    return this as unknown as OpenFile;
  }
  incRef(): void {
    this.refCount++;
  }
  decRef(): void {
    this.refCount--;
  }
  readAt(io: { put(src: Uint8Array, at: number, len: number): number; remaining: number }, offset: number): number {
    this.readCount++;
    const len = Math.max(0, Math.min(io.remaining, this.bytes.length - offset));
    return len === 0 ? 0 : io.put(this.bytes, offset, len);
  }
  writeAt(io: { take(dst: Uint8Array, at: number, len: number): number; remaining: number }, offset: number): number {
    return io.take(this.bytes, offset, Math.min(io.remaining, this.bytes.length - offset));
  }
}
