import { EIO, PF_R, PF_W, PF_X, PROT_EXEC, PROT_READ, PROT_WRITE } from '@tsv/abi';
import type { Mappable, OpenFile } from '@tsv/vfs';
import { Placement } from '../map-request.js';
import type { Mm } from '../mm.js';
import { pageCeil, pageFloor } from '../pma.js';
import type { ElfImage, Segment } from './elf-image.js';

/** Maps the segments of `image`, moved by `bias`. Returns 0. Errors: EEXIST, EIO, ENODEV, ENOMEM, EPERM. */
export function mapImage(mm: Mm, image: ElfImage, file: OpenFile, bias: number): number {
  const mappable = file.mappable();
  if (typeof mappable === 'number') return mappable;
  for (const segment of image.segments) {
    const status = mapSegment(mm, segment, file, mappable, bias);
    if (status < 0) return status;
  }
  return 0;
}

/** How far a position-independent image is moved so that it begins at an aligned address from `addr` on. */
export function biasFor(image: ElfImage, addr: number): number {
  const base = Math.ceil(addr / image.alignBytes) * image.alignBytes;
  return base - (image.start - (image.start % image.alignBytes));
}

/** Tells `mm` where code and data of the main program are, for proc_pid_stat(5). */
export function noteSegments(mm: Mm, image: ElfImage, bias: number): void {
  mm.codeStart = Infinity;
  for (const segment of image.segments) {
    const start = segment.vaddr + bias;
    const fileEnd = start + segment.fileBytes;
    if ((segment.flags & PF_X) !== 0) {
      mm.codeStart = Math.min(mm.codeStart, start);
      mm.codeEnd = Math.max(mm.codeEnd, fileEnd);
    }
    if (fileEnd >= mm.dataEnd) {
      mm.dataStart = start;
      mm.dataEnd = fileEnd;
    }
  }
  if (mm.codeStart === Infinity) mm.codeStart = 0;
}

function mapSegment(mm: Mm, segment: Segment, file: OpenFile, mappable: Mappable, bias: number): number {
  const start = segment.vaddr + bias;
  const fileEnd = start + segment.fileBytes;
  const end = start + segment.memBytes;
  const prot = protOf(segment.flags);
  const mapStart = pageFloor(start);
  const filePagesEnd = segment.fileBytes > 0 ? pageCeil(fileEnd) : mapStart;
  if (filePagesEnd > mapStart) {
    const status = map(mm, mapStart, filePagesEnd, prot, file, mappable, pageFloor(segment.offset));
    if (status < 0) return status;
  }
  if (end > fileEnd && segment.fileBytes > 0 && (prot & PROT_WRITE) !== 0) {
    // Up to the end of the page, also behind the segment: ld.so allocates its first objects there.
    if (filePagesEnd > fileEnd && mm.zeroOut(fileEnd, filePagesEnd - fileEnd) < 0) return -EIO;
  }
  const anonymousEnd = pageCeil(end);
  return anonymousEnd > filePagesEnd ? map(mm, filePagesEnd, anonymousEnd, prot, null, null, 0) : 0;
}

function map(
  mm: Mm,
  start: number,
  end: number,
  prot: number,
  file: OpenFile | null,
  mappable: Mappable | null,
  offset: number,
): number {
  const status = mm.map({
    addr: start,
    len: end - start,
    prot,
    flags: 0,
    placement: Placement.FIXED,
    mappable,
    file,
    offset,
    name: '',
    mustPopulate: false,
  });
  return status < 0 ? status : 0;
}

function protOf(flags: number): number {
  return (
    ((flags & PF_R) !== 0 ? PROT_READ : 0) |
    ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
    ((flags & PF_X) !== 0 ? PROT_EXEC : 0)
  );
}
