import { fstatfs } from '@tsv/host';
import type { FileSystemStatistics } from '@tsv/vfs';

/** Told to guests: some programs know only common filesystems. */
const EXT4_SUPER_MAGIC = 0xef53;
const fields = new Float64Array(9);

/** What fstatfs(2) says of the filesystem that a descriptor's file is on; zeros where it fails. */
export function hostStatistics(fd: number): FileSystemStatistics {
  const error = fstatfs(fd, fields);
  if (error < 0) fields.fill(0);
  return {
    type: EXT4_SUPER_MAGIC,
    blockBytes: fields[1]!,
    blockCount: fields[2]!,
    freeBlockCount: fields[3]!,
    availableBlockCount: fields[4]!,
    fileCount: fields[5]!,
    freeFileCount: fields[6]!,
    nameBytesMax: 255,
  };
}
