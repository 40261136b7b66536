import type { Inode } from '@tsv/vfs';
import { CapSet } from './cap-set.js';

/** `struct vfs_cap_data` of the extended attribute security.capability, capabilities(7) "File capabilities". */
const XATTR_NAME = 'security.capability';
const VFS_CAP_REVISION_MASK = 0xff00_0000;
const VFS_CAP_REVISION_2 = 0x0200_0000;
const VFS_CAP_REVISION_3 = 0x0300_0000;
const VFS_CAP_FLAGS_EFFECTIVE = 1;
const REVISION_2_BYTES = 20;
const REVISION_3_BYTES = 24;
const ROOT_ID_AT = 20;

/** What a program's file gives to whoever executes it. */
export interface FileCapabilities {
  readonly permitted: CapSet;
  readonly inheritable: CapSet;
  /** Whether the permitted capabilities are effective at once. */
  readonly isEffective: boolean;
}

/** The capabilities of a file, or null when it has none, or only for another user namespace. */
export function loadFileCapabilities(inode: Inode): FileCapabilities | null {
  const bytes = inode.getXattr(XATTR_NAME);
  if (typeof bytes === 'number' || bytes.length < REVISION_2_BYTES) return null;
  const mem = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = mem.getUint32(0, true);
  const revision = (magic & VFS_CAP_REVISION_MASK) >>> 0;
  if (revision === VFS_CAP_REVISION_3) {
    if (bytes.length !== REVISION_3_BYTES || mem.getUint32(ROOT_ID_AT, true) !== 0) return null;
  } else if (revision !== VFS_CAP_REVISION_2 || bytes.length !== REVISION_2_BYTES) {
    return null;
  }
  return {
    permitted: new CapSet(mem.getUint32(4, true), mem.getUint32(12, true)),
    inheritable: new CapSet(mem.getUint32(8, true), mem.getUint32(16, true)),
    isEffective: (magic & VFS_CAP_FLAGS_EFFECTIVE) !== 0,
  };
}
