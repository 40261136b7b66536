import type { Errno } from '@tsv/abi';
import type { Caller } from './caller.js';
import type { FileSystem } from './file-system.js';

/** What mount(2) hands to a filesystem type. */
export interface MountRequest {
  /** The `source` argument, a byte string. */
  readonly source: string;
  /** The comma-separated options of the `data` argument, a byte string. */
  readonly data: string;
  readonly caller: Caller;
}

/** A kind of filesystem that mount(2) can make. */
export interface FileSystemType {
  readonly name: string;
  /** Whether it needs no block device, as `nodev` in /proc/filesystems. */
  readonly isNodev: boolean;
  /** A filesystem for a new mount. Errors: EINVAL for options that it does not know, and others of mount(2). */
  create(request: MountRequest): FileSystem | Errno;
}

/** An option of a `data` argument: `size=4k` or `ro`. */
export interface MountOption {
  readonly name: string;
  /** Null when there is no `=`. */
  readonly value: string | null;
}

/** The options in a `data` argument; a backslash keeps a comma from ending one. */
export function parseMountOptions(data: string): MountOption[] {
  const options: MountOption[] = [];
  let text = '';
  for (let i = 0; i <= data.length; i++) {
    const char = data.charAt(i);
    if (char === '\\' && i + 1 < data.length) {
      text += char + data.charAt(++i);
    } else if (char === ',' || char === '') {
      const equals = text.indexOf('=');
      if (equals >= 0) options.push({ name: text.slice(0, equals), value: text.slice(equals + 1) });
      else if (text.length > 0) options.push({ name: text, value: null });
      text = '';
    } else {
      text += char;
    }
  }
  return options;
}
