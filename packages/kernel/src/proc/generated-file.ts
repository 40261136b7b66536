import { EINVAL, type Errno } from '@tsv/abi';
import { SyntheticFile, SyntheticSymlink, type Caller, type SyntheticFileSystem } from '@tsv/vfs';

/** A file of /proc or /sys whose text is made by a function when it is read. */
export class GeneratedFile extends SyntheticFile {
  readonly #make: (caller: Caller) => string | Uint8Array | Errno;

  constructor(fs: SyntheticFileSystem, make: (caller: Caller) => string | Uint8Array | Errno, permissions = 0o444) {
    super(fs, permissions);
    this.#make = make;
  }

  generate(caller: Caller): string | Uint8Array | Errno {
    return this.#make(caller);
  }
}

/** A file that can be written too: `store` gets the text without its trailing newline. */
export class SettableFile extends GeneratedFile {
  readonly #store: (text: string, caller: Caller) => 0 | Errno;

  constructor(
    fs: SyntheticFileSystem,
    make: (caller: Caller) => string | Errno,
    store: (text: string, caller: Caller) => 0 | Errno,
    permissions = 0o644,
  ) {
    super(fs, make, permissions);
    this.#store = store;
  }

  override write(bytes: Uint8Array, offset: number, caller: Caller): number {
    if (offset !== 0) return -EINVAL;
    const text = String.fromCharCode(...bytes.subarray(0, TEXT_BYTES_MAX)).replace(/\n$/, '');
    const error = this.#store(text, caller);
    return error < 0 ? error : bytes.length;
  }
}

/** Bytes of a setting that are looked at. */
const TEXT_BYTES_MAX = 4096;

/** A symbolic link whose target is made by a function. */
export class GeneratedSymlink extends SyntheticSymlink {
  readonly #make: (caller: Caller) => string | Errno;

  constructor(fs: SyntheticFileSystem, make: (caller: Caller) => string | Errno) {
    super(fs);
    this.#make = make;
  }

  readlink(caller: Caller): string | Errno {
    return this.#make(caller);
  }
}

/** A whole number in `[min, max]` written in decimal, or -EINVAL. */
export function parseSetting(text: string, min: number, max: number): number {
  const word = text.trim();
  if (!/^-?\d{1,15}$/.test(word)) return -EINVAL;
  const value = Number(word);
  return value >= min && value <= max ? value : -EINVAL;
}
