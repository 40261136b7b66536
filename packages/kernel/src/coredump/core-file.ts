import { PROT_EXEC, PROT_READ, PROT_WRITE, storeI64, type Errno } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { MemoryIo, type OpenFile } from '@tsv/vfs';
import { pagesIn } from '../mm/pma.js';
import { VM_DONTDUMP, type Vma } from '../mm/vma.js';
import type { SigInfo } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';
import { coreNotes } from './core-notes.js';

/** elf(5), for x86-64. */
const SIZEOF_EHDR = 64;
const SIZEOF_PHDR = 56;
const ET_CORE = 4;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;
/** Of program headers: beyond, `e_phnum` cannot count them. */
const PHDR_COUNT_MAX = 0xffff;

/** Pages that are looked at in one go. */
const CHUNK_PAGES = 64;

/** A mapping in the file: at `at`, `dumpedBytes` of it. */
interface Segment {
  readonly vma: Vma;
  readonly dumpedBytes: number;
  at: number;
}

/**
 * Writes the memory and the registers of the process of `task` as an ELF core file, core(5), not beyond `limitBytes`.
 * Pages that were never touched are holes. Errors: what writing says.
 */
export function writeCoreFile(task: Task, info: SigInfo, file: OpenFile, limitBytes: number): 0 | Errno {
  const notes = coreNotes(task, info).bytes;
  const vmas = task.mm.addressMap.vmas.items.slice(0, PHDR_COUNT_MAX - 1);
  const segments: Segment[] = vmas.map((vma) => ({ vma, dumpedBytes: dumpedBytesOf(task, vma), at: 0 }));
  const notesAt = SIZEOF_EHDR + SIZEOF_PHDR * (segments.length + 1);
  let at = Math.ceil((notesAt + notes.length) / PAGE_BYTES) * PAGE_BYTES;
  for (const segment of segments) {
    segment.at = at;
    at += segment.dumpedBytes;
  }
  const writer = new LimitedWriter(task, file, limitBytes);
  writer.write(headers(segments, notesAt, notes.length), 0);
  writer.write(notes, notesAt);
  for (const segment of segments) writeSegment(task, segment, writer);
  writer.extendTo(at);
  return writer.error;
}

/** How much of a mapping is dumped, core(5) "Controlling which mappings are written": 0x33. */
function dumpedBytesOf(task: Task, vma: Vma): number {
  if ((vma.flags & VM_DONTDUMP) !== 0) return 0;
  if (vma.file === null) return vma.len;
  if (vma.isShared) return 0;
  const { pmas } = task.mm.addressMap;
  const pma = pmas.items[pmas.indexFrom(vma.start)];
  // Pages of our own: the file does not have what was written to them.
  if (pma !== undefined && pma.start < vma.end) return vma.len;
  return vma.offset === 0 && (vma.prot & PROT_READ) !== 0 ? Math.min(PAGE_BYTES, vma.len) : 0;
}

function headers(segments: readonly Segment[], notesAt: number, notesBytes: number): Uint8Array {
  const bytes = new Uint8Array(notesAt);
  const view = new DataView(bytes.buffer);
  // Magic number, 64 bits, little-endian, version 1.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, 1, true);
  storeI64(view, 32, SIZEOF_EHDR);
  view.setUint16(52, SIZEOF_EHDR, true);
  view.setUint16(54, SIZEOF_PHDR, true);
  view.setUint16(56, segments.length + 1, true);
  storePhdr(view, SIZEOF_EHDR, { type: PT_NOTE, flags: 0, at: notesAt, addr: 0, fileBytes: notesBytes, memBytes: 0 });
  for (const [index, { vma, at, dumpedBytes }] of segments.entries()) {
    storePhdr(view, SIZEOF_EHDR + SIZEOF_PHDR * (index + 1), {
      type: PT_LOAD,
      flags: flagsOf(vma.prot),
      at,
      addr: vma.start,
      fileBytes: dumpedBytes,
      memBytes: vma.len,
    });
  }
  return bytes;
}

interface Phdr {
  readonly type: number;
  readonly flags: number;
  readonly at: number;
  readonly addr: number;
  readonly fileBytes: number;
  readonly memBytes: number;
}

function storePhdr(view: DataView, offset: number, { type, flags, at, addr, fileBytes, memBytes }: Phdr): void {
  view.setUint32(offset, type, true);
  view.setUint32(offset + 4, flags, true);
  storeI64(view, offset + 8, at);
  storeI64(view, offset + 16, addr);
  storeI64(view, offset + 32, fileBytes);
  storeI64(view, offset + 40, memBytes);
  storeI64(view, offset + 48, type === PT_LOAD ? PAGE_BYTES : 4);
}

function flagsOf(prot: number): number {
  return (prot & PROT_READ ? PF_R : 0) | (prot & PROT_WRITE ? PF_W : 0) | (prot & PROT_EXEC ? PF_X : 0);
}

/** Writes the pages of a mapping that are in memory; of a file, those that can be read. */
function writeSegment(task: Task, { vma, at, dumpedBytes }: Segment, writer: LimitedWriter): void {
  const { mm } = task;
  const resident = new Uint8Array(CHUNK_PAGES);
  const page = new Uint8Array(PAGE_BYTES);
  for (let offset = 0; offset < dumpedBytes && !writer.isDone;) {
    const addr = vma.start + offset;
    const untouched = vma.file === null ? holeBytes(task, addr) : 0;
    if (untouched > 0) {
      offset += untouched;
      continue;
    }
    const pageCount = markResident(task, addr, Math.min(CHUNK_PAGES, pagesIn(dumpedBytes - offset)), resident);
    for (let i = 0; i < pageCount; i++) {
      if (resident[i] === 0 || mm.copyIn(page, 0, addr + i * PAGE_BYTES, PAGE_BYTES) < 0) continue;
      writer.write(page, at + offset + i * PAGE_BYTES);
    }
    offset += pageCount * PAGE_BYTES;
  }
}

/** How far it is from `addr` to pages that somebody has touched: 0 at such a page. */
function holeBytes(task: Task, addr: number): number {
  const { pmas } = task.mm.addressMap;
  return Math.max(0, (pmas.items[pmas.indexFrom(addr)]?.start ?? Infinity) - addr);
}

/**
 * Marks which pages from `addr` on are in memory, or may be read from the mapped file: {@link holeBytes} has passed over the
 * others. Returns how many it looked at, up to `countMax`.
 */
function markResident(task: Task, addr: number, countMax: number, dst: Uint8Array): number {
  const map = task.mm.addressMap;
  const pma = map.pmas.items[map.pmas.indexFrom(addr)];
  if (pma === undefined || pma.start > addr) {
    const holePages = pma === undefined ? countMax : Math.min(countMax, pagesIn(pma.start - addr));
    dst.fill(1, 0, holePages);
    return holePages;
  }
  const pageCount = Math.min(countMax, pagesIn(pma.end - addr));
  map.memory.markResident(pma.pfnAt(addr), pageCount, dst, 0);
  return pageCount;
}

/** Writes to a file until its limit. */
class LimitedWriter {
  readonly #task: Task;
  readonly #file: OpenFile;
  readonly #limitBytes: number;
  #endBytes = 0;
  error: 0 | Errno = 0;

  constructor(task: Task, file: OpenFile, limitBytes: number) {
    this.#task = task;
    this.#file = file;
    this.#limitBytes = limitBytes;
  }

  get isDone(): boolean {
    return this.error < 0;
  }

  write(bytes: Uint8Array, offset: number): void {
    const len = Math.min(bytes.length, this.#limitBytes - offset);
    const io = new MemoryIo(bytes, 0, Math.max(0, len));
    while (io.remaining > 0 && !this.isDone) {
      const n = this.#file.writeAt(io, offset + (len - io.remaining), this.#task);
      if (n <= 0) this.error = n;
      if (n === 0) return;
    }
    this.#endBytes = Math.max(this.#endBytes, offset + Math.max(0, len));
  }

  /** The file ends with holes. */
  extendTo(lenBytes: number): void {
    const end = Math.min(lenBytes, this.#limitBytes);
    if (end > this.#endBytes && !this.isDone) this.#file.truncate(end, this.#task);
  }
}
