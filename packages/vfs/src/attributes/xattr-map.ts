import { EEXIST, ENODATA, ENOSPC, XATTR_CREATE, XATTR_LIST_MAX, XATTR_REPLACE, type Errno } from '@tsv/abi';

/** Bytes of names and values that one inode keeps at most. */
export const XATTR_BYTES_MAX = 256 * 1024;

/** Extended attributes in memory, xattr(7). */
export class XattrMap {
  readonly #values = new Map<string, Uint8Array>();
  #bytes = 0;
  #nameBytes = 0;

  /** Errors: ENODATA. */
  get(name: string): Uint8Array | Errno {
    return this.#values.get(name) ?? -ENODATA;
  }

  /** Errors: EEXIST, ENODATA (flags), ENOSPC. */
  set(name: string, value: Uint8Array, flags: number): 0 | Errno {
    const before = this.#values.get(name);
    if (before !== undefined && (flags & XATTR_CREATE) !== 0) return -EEXIST;
    if (before === undefined && (flags & XATTR_REPLACE) !== 0) return -ENODATA;
    const nameGrowth = before === undefined ? name.length + 1 : 0;
    const growth = value.length - (before?.length ?? 0) + nameGrowth;
    if (this.#bytes + growth > XATTR_BYTES_MAX || this.#nameBytes + nameGrowth > XATTR_LIST_MAX) return -ENOSPC;
    this.#bytes += growth;
    this.#nameBytes += nameGrowth;
    this.#values.set(name, value.slice());
    return 0;
  }

  /** Errors: ENODATA. */
  remove(name: string): 0 | Errno {
    const before = this.#values.get(name);
    if (before === undefined) return -ENODATA;
    this.#bytes -= before.length + name.length + 1;
    this.#nameBytes -= name.length + 1;
    this.#values.delete(name);
    return 0;
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }
}
