import {
  EI_CLASS,
  EI_DATA,
  ELFCLASS64,
  ELFDATA2LSB,
  ELF_MAGIC,
  EM_X86_64,
  ENOEXEC,
  ET_DYN,
  ET_EXEC,
  E_ENTRY,
  E_MACHINE,
  E_PHENTSIZE,
  E_PHNUM,
  E_PHOFF,
  E_TYPE,
  PF_X,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  PT_PHDR,
  P_ALIGN,
  P_FILESZ,
  P_FLAGS,
  P_MEMSZ,
  P_OFFSET,
  P_TYPE,
  P_VADDR,
  SIZEOF_EHDR,
  SIZEOF_PHDR,
  loadU64,
  type Errno,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { pageCeil, pageFloor } from '../pma.js';

/** Program headers that one file may have: what 64 KiB hold, as on Linux. */
const PHDR_BYTES_MAX = 65536;
/** PATH_MAX, for the name of the interpreter. */
const INTERP_BYTES_MAX = 4096;

/** A PT_LOAD segment. */
export interface Segment {
  readonly vaddr: number;
  readonly offset: number;
  readonly fileBytes: number;
  readonly memBytes: number;
  /** PF_*. */
  readonly flags: number;
}

/** Reads bytes of the file at `offset` to `dst`; returns how many, or an errno. */
export type ReadAt = (dst: Uint8Array, offset: number) => number;

/** What execve(2) needs to know of an ELF file. Checked: segments are in order and lie in the user's addresses. */
export interface ElfImage {
  readonly isPositionIndependent: boolean;
  readonly entry: number;
  readonly segments: readonly Segment[];
  /** Largest alignment that a segment asks for, at least a page. */
  readonly alignBytes: number;
  /** Address of the program headers, or -1 when no segment has them. */
  readonly phdrAddr: number;
  readonly phdrCount: number;
  /** Path of the interpreter, or null. */
  readonly interpreter: string | null;
  readonly hasExecutableStack: boolean;
  /** Pages from the first segment's to the last's end. */
  readonly start: number;
  readonly end: number;
}

/** Parses an ELF file. Errors: ENOEXEC for what cannot be run, and what reading returns. */
export function parseElf(readAt: ReadAt, maxAddr: number): ElfImage | Errno {
  const header = new Uint8Array(SIZEOF_EHDR);
  const headerBytes = readAt(header, 0);
  if (headerBytes < 0) return headerBytes;
  const view = new DataView(header.buffer);
  if (headerBytes < SIZEOF_EHDR || !isExecutableElf(view)) return -ENOEXEC;
  const phdrCount = view.getUint16(E_PHNUM, true);
  const phdrOffset = loadU64(view, E_PHOFF);
  const phdrs = new Uint8Array(phdrCount * SIZEOF_PHDR);
  if (phdrCount === 0 || phdrs.length > PHDR_BYTES_MAX || !readAll(readAt, phdrs, phdrOffset)) return -ENOEXEC;
  return parseProgramHeaders(readAt, view, new DataView(phdrs.buffer), phdrCount, phdrOffset, maxAddr);
}

/** Whether bytes that begin a file say that it is an ELF file. */
export function hasElfMagic(view: DataView): boolean {
  return view.byteLength >= 4 && view.getUint32(0, true) === ELF_MAGIC;
}

function isExecutableElf(view: DataView): boolean {
  const type = view.getUint16(E_TYPE, true);
  return (
    hasElfMagic(view) &&
    view.getUint8(EI_CLASS) === ELFCLASS64 &&
    view.getUint8(EI_DATA) === ELFDATA2LSB &&
    (type === ET_EXEC || type === ET_DYN) &&
    view.getUint16(E_MACHINE, true) === EM_X86_64 &&
    view.getUint16(E_PHENTSIZE, true) === SIZEOF_PHDR
  );
}

function parseProgramHeaders(
  readAt: ReadAt,
  header: DataView,
  phdrs: DataView,
  phdrCount: number,
  phdrOffset: number,
  maxAddr: number,
): ElfImage | Errno {
  const segments: Segment[] = [];
  let interpreter: string | null = null;
  let alignBytes = PAGE_BYTES;
  let phdrAddr = -1;
  let hasExecutableStack = false;
  let end = 0;
  for (let at = 0; at < phdrs.byteLength; at += SIZEOF_PHDR) {
    const type = phdrs.getUint32(at + P_TYPE, true);
    const flags = phdrs.getUint32(at + P_FLAGS, true);
    if (type === PT_GNU_STACK) hasExecutableStack = (flags & PF_X) !== 0;
    else if (type === PT_PHDR) phdrAddr = loadU64(phdrs, at + P_VADDR);
    else if (type === PT_INTERP && interpreter === null) {
      const name = readInterpreter(readAt, loadU64(phdrs, at + P_OFFSET), loadU64(phdrs, at + P_FILESZ));
      if (typeof name === 'number') return name;
      interpreter = name;
    } else if (type === PT_LOAD) {
      const segment = loadSegment(phdrs, at, flags);
      if (segment.memBytes === 0) continue;
      if (!isSound(segment, end, maxAddr)) return -ENOEXEC;
      end = segment.vaddr + segment.memBytes;
      alignBytes = Math.max(alignBytes, alignmentOf(loadU64(phdrs, at + P_ALIGN)));
      segments.push(segment);
    }
  }
  const first = segments[0];
  if (first === undefined) return -ENOEXEC;
  if (phdrAddr < 0) phdrAddr = addressOf(segments, phdrOffset);
  return {
    isPositionIndependent: header.getUint16(E_TYPE, true) === ET_DYN,
    entry: loadU64(header, E_ENTRY),
    segments,
    alignBytes,
    phdrAddr,
    phdrCount,
    interpreter,
    hasExecutableStack,
    start: pageFloor(first.vaddr),
    end: pageCeil(end),
  };
}

function loadSegment(phdrs: DataView, at: number, flags: number): Segment {
  return {
    vaddr: loadU64(phdrs, at + P_VADDR),
    offset: loadU64(phdrs, at + P_OFFSET),
    fileBytes: loadU64(phdrs, at + P_FILESZ),
    memBytes: loadU64(phdrs, at + P_MEMSZ),
    flags,
  };
}

/** In ascending order, within the user's addresses, and congruent with the file so that pages can be mapped. */
function isSound(segment: Segment, prevEnd: number, maxAddr: number): boolean {
  const { vaddr, offset, fileBytes, memBytes } = segment;
  return (
    vaddr >= prevEnd &&
    vaddr + memBytes <= maxAddr &&
    fileBytes <= memBytes &&
    offset + fileBytes <= Number.MAX_SAFE_INTEGER &&
    (fileBytes === 0 || vaddr % PAGE_BYTES === offset % PAGE_BYTES)
  );
}

function alignmentOf(align: number): number {
  const isPowerOfTwo = align > 0 && Number.isInteger(Math.log2(align));
  return isPowerOfTwo && align <= ALIGN_BYTES_MAX ? align : PAGE_BYTES;
}

/** Largest alignment that is honoured: a gigantic page. */
const ALIGN_BYTES_MAX = 2 ** 30;

/** Address at which the segments have the file's byte at `offset`, or -1. */
function addressOf(segments: readonly Segment[], offset: number): number {
  for (const segment of segments) {
    if (offset >= segment.offset && offset < segment.offset + segment.fileBytes) {
      return segment.vaddr + (offset - segment.offset);
    }
  }
  return -1;
}

/** The path of PT_INTERP, which ends with NUL. */
function readInterpreter(readAt: ReadAt, offset: number, len: number): string | Errno {
  if (len < 2 || len > INTERP_BYTES_MAX) return -ENOEXEC;
  const bytes = new Uint8Array(len);
  if (!readAll(readAt, bytes, offset) || bytes[len - 1] !== 0) return -ENOEXEC;
  const text = String.fromCharCode(...bytes);
  return text.slice(0, text.indexOf('\0'));
}

function readAll(readAt: ReadAt, dst: Uint8Array, offset: number): boolean {
  return readAt(dst, offset) === dst.length;
}
