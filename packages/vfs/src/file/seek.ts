import { EINVAL, ENXIO, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET } from '@tsv/abi';
import type { OpenFile } from './open-file.js';

/** Largest file offset: exact as a number, and less than what Linux allows. */
export const FILE_BYTES_MAX = Number.MAX_SAFE_INTEGER;

/**
 * lseek(2) for a file of `sizeBytes` that is data throughout. Sets the offset and returns it. Errors: EINVAL, ENXIO.
 */
export function seekFile(file: OpenFile, offset: number, whence: number, sizeBytes: number): number {
  let pos: number;
  if (whence === SEEK_SET) pos = offset;
  else if (whence === SEEK_CUR) pos = file.pos + offset;
  else if (whence === SEEK_END) pos = sizeBytes + offset;
  else if (whence === SEEK_DATA || whence === SEEK_HOLE) {
    if (offset < 0 || offset >= sizeBytes) return -ENXIO;
    pos = whence === SEEK_DATA ? offset : sizeBytes;
  } else return -EINVAL;
  if (pos < 0 || pos > FILE_BYTES_MAX) return -EINVAL;
  file.pos = pos;
  return pos;
}
