import {
  EACCES,
  EEXIST,
  EFAULT,
  EINVAL,
  EIO,
  ENOMEM,
  EPERM,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_STACK,
  type Errno,
} from '@tsv/abi';
import { PAGE_BYTES, chunkAt, chunkOf, type AddressSpace, type MemoryFile } from '@tsv/platform';
import { displayPath, type Caller, type OpenFile } from '@tsv/vfs';
import type { ResourceLimits } from '../task/resource-limits.js';
import { AddressMap } from './address-map.js';
import { GapFinder, guardedStart } from './find-gap.js';
import { forkPages, inheritPages } from './fork-pages.js';
import { GuestMemory } from './guest-memory.js';
import { MMAP_MIN_ADDR, STACK_GUARD_BYTES, type Layout } from './layout.js';
import { Placement, type MapRequest } from './map-request.js';
import { EAGER_BYTES_MAX, makePresent, populate, populateNew, readFile, writeFile } from './page-source.js';
import { pageCeil, pageFloor, pagesIn } from './pma.js';
import { PrivateCode } from './private-code.js';
import { VM_GROWSDOWN, VM_LOCKED, VM_LOCKONFAULT, VM_NOEXEC, VM_NOWRITE, VM_SHARED, VM_SPECIAL, Vma } from './vma.js';

/** Mappings that a process may have: what the host allows a process (65530), less what the mirror may need in pieces. */
export const MAP_COUNT_MAX = 60000;
/** From here on the host is asked at once whether it has room. */
const MAP_COUNT_CAREFUL = 16384;
/** How much a stack grows at once. */
const STACK_BATCH_BYTES = 32 * PAGE_BYTES;
const HOST_PAGES_MAX = 64;

/** What an {@link Mm} is made of. */
export interface MmInit {
  readonly memory: MemoryFile;
  readonly space: AddressSpace;
  readonly layout: Layout;
  readonly limits: ResourceLimits;
  readonly reader: Caller;
}

/** An address space: the memory of a process, shared by its threads. */
export class Mm extends GuestMemory {
  readonly addressMap: AddressMap;
  readonly layout: Layout;
  /** Of the process that uses it; set by whoever acts for another one. */
  limits: ResourceLimits;
  brkStart = 0;
  brkEnd = 0;
  stackStart = 0;
  codeStart = 0;
  codeEnd = 0;
  dataStart = 0;
  dataEnd = 0;
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  /** The auxiliary vector as it was at execve(2). */
  auxv: Uint8Array = new Uint8Array(0);
  /** Address of the vDSO, 0 without one. */
  vdsoAddr = 0;
  /** VM_LOCKED and VM_LOCKONFAULT of new mappings, MCL_FUTURE. */
  futureLock = 0;
  /** MEMBARRIER_CMD_REGISTER_* that were made. */
  membarrierRegistrations = 0;
  readonly gaps: GapFinder;
  /** What the platform may change of the program. */
  readonly code: PrivateCode;
  protected readonly memory: MemoryFile;
  protected readonly reads: AddressMap['reads'];
  protected readonly writes: AddressMap['writes'];
  #exeFile: OpenFile | null = null;
  readonly #buffer = new Uint8Array(PAGE_BYTES);

  constructor(init: MmInit) {
    super();
    this.layout = init.layout;
    this.limits = init.limits;
    this.memory = init.memory;
    this.addressMap = new AddressMap(init.memory, init.space, init.reader);
    this.reads = this.addressMap.reads;
    this.writes = this.addressMap.writes;
    this.gaps = new GapFinder(this.addressMap.vmas);
    this.code = new PrivateCode(this);
    init.space.codeMemory = this.code;
  }

  get addressSpace(): AddressSpace {
    return this.addressMap.space;
  }

  /** The program's file, held by reference. */
  get exeFile(): OpenFile | null {
    return this.#exeFile;
  }
  set exeFile(file: OpenFile | null) {
    file?.incRef();
    if (file !== null) file.inode.executionCount++;
    if (this.#exeFile !== null) {
      this.#exeFile.inode.executionCount--;
      this.#exeFile.decRef();
    }
    this.#exeFile = file;
  }

  get vmBytes(): number {
    return this.addressMap.vmBytes;
  }
  /** Bytes of `[start, end)` whose pages of the memory file have memory of the host. Takes host calls for each piece. */
  residentBytes(start = 0, end = Infinity): number {
    const { pmas } = this.addressMap;
    let pageCount = 0;
    for (let i = pmas.indexFrom(start); i < pmas.count && pmas.items[i]!.start < end; i++) {
      const pma = pmas.items[i]!;
      const from = Math.max(start, pma.start);
      pageCount += this.memory.residentCount(pma.pfnAt(from), pagesIn(Math.min(end, pma.end) - from));
    }
    return pageCount * PAGE_BYTES;
  }

  /** Bytes that have pages of the memory file; those that were never touched are counted too. */
  get rssBytes(): number {
    return this.addressMap.rssBytes;
  }
  get lockedBytes(): number {
    return this.addressMap.lockedBytes;
  }
  get dataBytes(): number {
    return this.addressMap.dataBytes;
  }

  /** The mappings in ascending order. */
  vmas(): readonly Vma[] {
    return this.addressMap.vmas.items;
  }

  /** The mapping that holds `addr`, or null. */
  vmaAt(addr: number): Vma | null {
    return this.addressMap.vmas.at(addr);
  }

  /** What /proc/PID/maps calls `vma`: the path of its file as `caller` sees it, or a name such as `[heap]`. */
  describe(vma: Vma, caller: Caller): string {
    if (vma.file === null) return vma.name;
    const { path, inode } = vma.file;
    return path === null ? `anon_inode:[${inode.fs.typeName}]` : displayPath(caller.root, path);
  }

  /** A task more uses it. */
  incRef(): void {
    this.addressMap.userCount++;
  }

  /** A task less uses it; the last one's memory is given back. Its contexts were released. */
  decRef(): void {
    if (--this.addressMap.userCount > 0) return;
    this.addressMap.destroy();
    this.exeFile = null;
  }

  /** Maps memory, mmap(2). Returns the address. Errors: EEXIST, EINVAL, ENOMEM, EPERM, and what the host says. */
  map(request: MapRequest): number {
    const { len, flags } = request;
    const map = this.addressMap;
    const addr = this.#place(request);
    if (addr < 0) return addr;
    const isFixed = request.placement === Placement.FIXED;
    const status = this.checkRoom(len, request.prot, flags, isFixed ? this.#mappedBytes(addr, addr + len) : 0);
    if (status < 0) return status;
    if (isFixed) this.#remove(addr, addr + len);

    const vma = map.add(
      new Vma(addr, addr + len, request.prot, flags, request.mappable, request.file, request.offset, request.name),
    );
    const error = this.#fill(vma, addr, len, request.mustPopulate || isLocked(flags));
    if (error >= 0) return addr;
    this.#remove(addr, addr + len);
    map.flush();
    return error;
  }

  /** Maps pages of the kernel's own at free addresses; the guest cannot write to them. */
  mapOwnPages(addr: number, pageCount: number, pfn: number, prot: number, name: string): void {
    const end = addr + pageCount * PAGE_BYTES;
    const vma = this.addressMap.add(new Vma(addr, end, prot, VM_SPECIAL, null, null, 0, name));
    this.memory.incRef(pfn, pageCount);
    this.addressMap.addPages(vma, addr, end, pfn, true);
  }

  /** Unmaps `[addr, addr + len)`, munmap(2). Errors: EINVAL, ENOMEM. */
  unmap(addr: number, len: number): number {
    const end = addr + pageCeil(len);
    if (addr % PAGE_BYTES !== 0 || len === 0 || !(end <= this.layout.maxAddr)) return -EINVAL;
    if (this.addressMap.hostMappingCount + 3 > MAP_COUNT_MAX) return -ENOMEM;
    // What lies below the first address has no mapping, and the platform may have something of its own there.
    this.#remove(Math.max(addr, this.layout.minAddr), end);
    return this.addressMap.commit();
  }

  /** mprotect(2) on whole pages. Errors: EACCES is the caller's; ENOMEM for a hole, after what lies before it changed. */
  protect(start: number, end: number, prot: number): number {
    const map = this.addressMap;
    if (map.hostMappingCount + 4 > MAP_COUNT_MAX) return -ENOMEM;
    if (!this.#mayBecomeData(start, end, prot)) return -ENOMEM;
    if ((prot & PROT_WRITE) !== 0) this.code.restore(start, end);
    map.protect(start, end, prot);
    for (let at = start; at < end;) {
      const vma = map.vmas.at(at)!;
      const stop = Math.min(end, vma.end);
      if (vma.isPrivateAnonymous && vma.isAccessible && stop - at <= EAGER_BYTES_MAX) {
        const status = populate(map, vma, at, stop);
        if (status < 0) return status;
      }
      at = stop;
    }
    return this.settle();
  }

  /** Moves the end of the heap, brk(2). Returns the new end, or the old one when that is not possible. */
  brk(addr: number): number {
    const oldEnd = pageCeil(this.brkEnd);
    const newEnd = pageCeil(addr);
    if (!(addr >= this.brkStart) || !(newEnd <= this.layout.maxAddr)) return this.brkEnd;
    if (newEnd < oldEnd) {
      if (this.unmap(newEnd, oldEnd - newEnd) < 0) return this.brkEnd;
    } else if (newEnd > oldEnd) {
      const next = this.addressMap.vmas.items[this.addressMap.vmas.indexFrom(oldEnd)];
      if (next !== undefined && newEnd > guardedStart(next)) return this.brkEnd;
      if (this.dataBytes + (newEnd - oldEnd) > this.limits.soft(RLIMIT_DATA)) return this.brkEnd;
      if (this.#mapBrk(oldEnd, newEnd - oldEnd) < 0) return this.brkEnd;
    }
    this.brkEnd = addr;
    return addr;
  }

  /**
   * Copies the address space; private pages are copied when either side writes to them, or now when that was so after earlier
   * forks. Errors: EAGAIN, ENOMEM.
   */
  fork(): Mm | Errno {
    const from = this.addressMap;
    const forked = forkPages(from);
    if (typeof forked === 'number') return forked;
    const { space, copies } = forked;
    const { memory, layout, limits } = this;
    const child = new Mm({ memory, space, layout, limits, reader: from.reader });
    child.brkStart = this.brkStart;
    child.brkEnd = this.brkEnd;
    child.stackStart = this.stackStart;
    child.codeStart = this.codeStart;
    child.codeEnd = this.codeEnd;
    child.dataStart = this.dataStart;
    child.dataEnd = this.dataEnd;
    child.argStart = this.argStart;
    child.argEnd = this.argEnd;
    child.envStart = this.envStart;
    child.envEnd = this.envEnd;
    child.auxv = this.auxv;
    child.vdsoAddr = this.vdsoAddr;
    child.membarrierRegistrations = this.membarrierRegistrations;
    child.exeFile = this.exeFile;
    inheritPages(from, child.addressMap, copies);
    child.code.inherit(this.code);
    return child;
  }

  /**
   * Makes the page at `addr` accessible to the guest, which faulted there. Returns 0 when it may go on. Errors: EFAULT
   * for an address without a mapping, EACCES for one that forbids the access, EIO for a page that its file does not
   * have, ENOMEM.
   */
  handleFault(addr: number, isWrite: boolean, isFetch: boolean): number {
    const vma = this.#vmaForAccess(addr);
    if (vma === null) return -EFAULT;
    if (isWrite ? !vma.isWritable : isFetch ? (vma.prot & PROT_EXEC) === 0 : !vma.isAccessible) return -EACCES;
    const status = makePresent(this.addressMap, vma, pageFloor(addr), isWrite);
    if (status < 0) return status === -ENOMEM ? status : -EIO;
    return this.addressMap.commit();
  }

  /** Whether a fault at `addr` changes what is mapped there. */
  lacksPage(addr: number): boolean {
    const vma = this.vmaAt(addr);
    const pma = this.addressMap.pmas.at(addr);
    return (
      vma === null ||
      (pma === null ? !vma.isHostMapped || (vma.isWritable && !vma.isShared) : pma.isCow && vma.isWritable)
    );
  }

  /** Makes the pages of `[start, end)`, mapped throughout, present: mlock(2), MAP_POPULATE. Errors: EFAULT, ENOMEM. */
  makeAllPresent(start: number, end: number, isWrite: boolean): number {
    const map = this.addressMap;
    for (let at = start; at < end;) {
      const vma = map.vmas.at(at);
      if (vma === null) return -ENOMEM;
      const stop = Math.min(end, vma.end);
      if (vma.isHostMapped && !(isWrite && vma.isWritable && !vma.isShared)) {
        at = stop;
        continue;
      }
      const status = vma.isAccessible ? makePresent(map, vma, at, isWrite && vma.isWritable) : 0;
      if (status < 0) return status;
      const pma = map.pmas.at(at);
      const isDone = pma !== null && !(isWrite && pma.isCow && vma.isWritable);
      at = isDone ? Math.min(stop, pma.end) : pma === null ? stop : at + PAGE_BYTES;
    }
    return map.commit();
  }

  /**
   * Stable identity of the futex word at `addr`, NaN where it cannot be read. {@link futexMm} says in whose address
   * space it counts.
   */
  futexKey(addr: number, isPrivate: boolean): number {
    if (addr % 4 !== 0) return NaN;
    if (isPrivate) return addr;
    if (this.segment(addr, 4, false) < 4) return NaN;
    const vma = this.addressMap.vmas.at(addr)!;
    if (!vma.isShared) return addr;
    const pma = this.addressMap.pmas.at(addr);
    if (pma !== null) return pma.pfnAt(pageFloor(addr)) * PAGE_BYTES + (addr % PAGE_BYTES);
    return (1 + idOf(vma.mappable!)) * HOST_FILE_KEYS + (vma.offsetOf(addr) % HOST_FILE_KEYS);
  }

  /** This when the word at `addr` is only its own (private memory), null when other address spaces may share it. */
  futexMm(addr: number, isPrivate: boolean): this | null {
    return isPrivate || this.vmaAt(addr)?.isShared !== true ? this : null;
  }

  writeBack(addr: number, len: number): number {
    const vma = this.addressMap.vmas.at(addr)!;
    return writeFile(this.addressMap, vma, addr, this.#buffer, addr % PAGE_BYTES, len) < 0 ? -EFAULT : 0;
  }

  /** Whether limits allow `len` bytes more, of which `replacedBytes` are mapped already. Errors: ENOMEM. */
  checkRoom(len: number, prot: number, flags: number, replacedBytes: number): number {
    const { limits } = this;
    if (this.addressMap.hostMappingCount + 4 > MAP_COUNT_MAX) return -ENOMEM;
    if (this.vmBytes + len - replacedBytes > limits.soft(RLIMIT_AS)) return -ENOMEM;
    const isData = (prot & PROT_WRITE) !== 0 && (flags & (VM_SHARED | VM_GROWSDOWN)) === 0;
    return isData && this.dataBytes + len > limits.soft(RLIMIT_DATA) ? -ENOMEM : 0;
  }

  /**
   * Writes `len` bytes for a tracer, ptrace(2): memory that the program may not write is copied before. Errors: EIO for
   * a hole, and for a shared mapping that cannot be written.
   */
  poke(addr: number, src: Uint8Array, at: number, len: number): 0 | Errno {
    const map = this.addressMap;
    for (let done = 0; done < len;) {
      const target = addr + done;
      const vma = this.vmaAt(target);
      if (vma === null || (vma.flags & VM_SPECIAL) !== 0 || (vma.isShared && !vma.isWritable)) return -EIO;
      if (makePresent(map, vma, pageFloor(target), true) < 0 || map.commit() < 0) return -EIO;
      const pma = map.pmas.at(target);
      if (pma === null) return this.copyOut(target, src, at + done, len - done) < 0 ? -EIO : 0;
      const within = target % PAGE_BYTES;
      const count = Math.min(len - done, PAGE_BYTES - within);
      const pfn = pma.pfnAt(pageFloor(target));
      this.memory.chunks[chunkOf(pfn)]!.set(src.subarray(at + done, at + done + count), chunkAt(pfn) + within);
      done += count;
    }
    return 0;
  }

  /** Lets queued changes take effect, now if the host may have something to say about them. */
  settle(): number {
    const map = this.addressMap;
    return map.hostMappingCount > MAP_COUNT_CAREFUL ? map.flush() : map.commit();
  }

  /** Start of free addresses for `len` bytes, at `hint` if that is free. Errors: ENOMEM. */
  findFree(hint: number, len: number): number {
    const { minAddr, maxAddr, mmapBase } = this.layout;
    if (len > maxAddr - minAddr) return -ENOMEM;
    if (hint > 0) {
      const addr = Math.max(pageFloor(hint), minAddr);
      if (addr <= maxAddr - len && this.gaps.findUp(addr, addr + len, len) === addr) return addr;
    }
    let addr = this.gaps.findBelow(minAddr, mmapBase, len);
    if (addr < 0) addr = this.gaps.findUp(mmapBase, maxAddr, len);
    return addr < 0 ? -ENOMEM : addr;
  }

  protected resolve(addr: number, isWrite: boolean): number {
    const map = this.addressMap;
    const page = pageFloor(addr);
    // Programs give constants of theirs as paths, such as the empty one that glibc's fstat(3) gives.
    const known = isWrite ? undefined : map.hostPages.get(page);
    if (known !== undefined) return this.#buffered(known, addr - page);
    const vma = this.#vmaForAccess(addr);
    if (vma === null || (isWrite ? !vma.isWritable : !vma.isAccessible)) return -EFAULT;
    if (makePresent(map, vma, page, isWrite) < 0 || map.commit() < 0) return -EFAULT;
    const pma = map.pmas.at(addr);
    if (pma === null) return this.#bufferHostPage(vma, page, addr);
    (isWrite ? map.writes : map.reads).set(this.memory, vma, pma, addr);
    return 0;
  }

  /** The mapping for an access at `addr`; a stack grows to it. */
  #vmaForAccess(addr: number): Vma | null {
    const { vmas } = this.addressMap;
    const index = vmas.indexFrom(addr);
    const vma = vmas.items[index];
    if (vma === undefined || vma.start <= addr) return vma ?? null;
    return (vma.flags & VM_GROWSDOWN) !== 0 && this.#growStack(vma, pageFloor(addr), vmas.items[index - 1])
      ? vma
      : null;
  }

  #growStack(vma: Vma, addr: number, below: Vma | undefined): boolean {
    const { minAddr } = this.layout;
    const limit = this.limits.soft(RLIMIT_STACK);
    if (addr < minAddr || vma.end - addr > limit) return false;
    let floor = minAddr;
    if (below !== undefined) {
      const hasGuard = below.isAccessible && (below.flags & VM_GROWSDOWN) === 0;
      floor = below.end + (hasGuard ? STACK_GUARD_BYTES : 0);
    }
    if (addr < floor) return false;
    const start = Math.max(
      Math.min(addr, vma.start - STACK_BATCH_BYTES),
      floor,
      vma.end - pageFloor(Math.min(limit, vma.end)),
    );
    const grown = vma.start - start;
    if (this.checkRoom(grown, vma.prot, vma.flags, 0) < 0) return false;
    const end = vma.start;
    this.addressMap.growDown(vma, start);
    return !vma.isPrivateAnonymous || populate(this.addressMap, vma, start, end) === 0;
  }

  #bufferHostPage(vma: Vma, page: number, addr: number): number {
    const { hostPages } = this.addressMap;
    let bytes = vma.isShared ? this.#buffer : hostPages.get(page);
    if (vma.offsetOf(page) >= vma.mappable!.sizeBytes) return -EFAULT;
    if (bytes === undefined || vma.isShared) {
      bytes ??= new Uint8Array(PAGE_BYTES);
      if (vma.isShared) bytes.fill(0);
      if (readFile(this.addressMap, vma, page, bytes, 0, PAGE_BYTES) < 0) return -EFAULT;
      if (!vma.isShared) {
        if (hostPages.size >= HOST_PAGES_MAX) hostPages.clear();
        hostPages.set(page, bytes);
      }
    }
    return this.#buffered(bytes, addr - page);
  }

  #buffered(page: Uint8Array, at: number): number {
    this.seg = page;
    this.segAt = at;
    return PAGE_BYTES - at;
  }

  #place(request: MapRequest): number {
    const { addr, len, placement } = request;
    const { minAddr, maxAddr } = this.layout;
    if (placement === Placement.FIXED || placement === Placement.FIXED_NOREPLACE) {
      if (!(addr <= maxAddr - len)) return -ENOMEM;
      if (addr % PAGE_BYTES !== 0) return -EINVAL;
      if (addr < MMAP_MIN_ADDR) return -EPERM;
      if (addr < minAddr) return -ENOMEM;
      const isFree = placement === Placement.FIXED || this.addressMap.vmas.isFree(addr, addr + len);
      return isFree ? addr : -EEXIST;
    }
    if (placement === Placement.BELOW_2GIB && request.addr === 0) {
      const low = this.gaps.findUp(Math.max(LOW_START, minAddr), Math.min(LOW_END, maxAddr), len);
      return low < 0 ? -ENOMEM : low;
    }
    return this.findFree(addr, len);
  }

  /** Gives a new mapping its first pages, and asks the host where it may refuse. */
  #fill(vma: Vma, addr: number, len: number, mustPopulate: boolean): number {
    const status = populateNew(this.addressMap, vma, addr, addr + len);
    if (status < 0) return status;
    if (mustPopulate) {
      const error = this.makeAllPresent(addr, addr + len, !vma.isShared && vma.isWritable);
      if (error === -ENOMEM) return error;
    }
    return vma.isHostMapped ? this.#settleHostMapping(vma) : this.settle();
  }

  /** The host may refuse to map a file: it is asked at once, unless it has allowed the like before. */
  #settleHostMapping(vma: Vma): number {
    const { mappable, prot } = vma;
    if (!vma.isShared && mappable?.isKnownToMap?.(prot) === true) return this.settle();
    const status = this.addressMap.flush();
    if (status >= 0 && !vma.isShared) mappable?.wasMapped?.(prot);
    return status;
  }

  #mapBrk(addr: number, len: number): number {
    return this.map({
      addr,
      len,
      prot: PROT_READ | PROT_WRITE,
      flags: this.futureLock,
      placement: Placement.FIXED_NOREPLACE,
      mappable: null,
      file: null,
      offset: 0,
      name: '[heap]',
      mustPopulate: false,
    });
  }

  #remove(start: number, end: number): void {
    if (this.addressMap.remove(start, end)) this.gaps.freed(end);
  }

  #mappedBytes(start: number, end: number): number {
    const { vmas } = this.addressMap;
    let bytes = 0;
    for (let i = vmas.indexFrom(start); i < vmas.count && vmas.items[i]!.start < end; i++) {
      bytes += Math.min(end, vmas.items[i]!.end) - Math.max(start, vmas.items[i]!.start);
    }
    return bytes;
  }

  #mayBecomeData(start: number, end: number, prot: number): boolean {
    if ((prot & PROT_WRITE) === 0 || this.limits.soft(RLIMIT_DATA) === Infinity) return true;
    const { vmas } = this.addressMap;
    let bytes = this.dataBytes;
    for (let i = vmas.indexFrom(start); i < vmas.count && vmas.items[i]!.start < end; i++) {
      const vma = vmas.items[i]!;
      const canBeData = !vma.isData && (vma.flags & (VM_SHARED | VM_GROWSDOWN)) === 0;
      if (canBeData) bytes += Math.min(end, vma.end) - Math.max(start, vma.start);
    }
    return bytes <= this.limits.soft(RLIMIT_DATA);
  }
}

/** Where MAP_32BIT puts things, mmap(2). */
const LOW_START = 0x4000_0000;
const LOW_END = 0x8000_0000;

/** Above all keys made of page frame numbers. */
const HOST_FILE_KEYS = 2 ** 43;
const HOST_FILE_ID_COUNT = 1000;
const hostFileIds = new WeakMap<object, number>();
let nextHostFileId = 0;

/** Tells directly mapped host files apart; numbers repeat after a thousand files, which costs spurious wake-ups. */
function idOf(mappable: object): number {
  let id = hostFileIds.get(mappable);
  if (id === undefined) {
    id = nextHostFileId++ % HOST_FILE_ID_COUNT;
    hostFileIds.set(mappable, id);
  }
  return id;
}

function isLocked(flags: number): boolean {
  return (flags & VM_LOCKED) !== 0 && (flags & VM_LOCKONFAULT) === 0;
}

/** What `prot` may not be for `vma`: EACCES of mprotect(2). */
export function mayProtect(vma: Vma, prot: number): boolean {
  if ((vma.flags & VM_SPECIAL) !== 0) return (prot & PROT_WRITE) === 0;
  if ((prot & PROT_WRITE) !== 0 && (vma.flags & VM_NOWRITE) !== 0) return false;
  return (prot & PROT_EXEC) === 0 || (vma.flags & VM_NOEXEC) === 0;
}
