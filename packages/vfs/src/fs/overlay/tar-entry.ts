const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
/** The largest number of an octal field of 8 and of 12 bytes, which ends with a NUL. */
const SMALL_MAX = 8 ** 7 - 1;
const LARGE_MAX = 8 ** 11 - 1;

/** `typeflag` of a header, pax(1) "ustar Interchange Format". */
export const TarType = {
  FILE: '0',
  LINK: '1',
  SYMLINK: '2',
  CHARACTER: '3',
  BLOCK: '4',
  DIRECTORY: '5',
  FIFO: '6',
} as const;
export type TarType = (typeof TarType)[keyof typeof TarType];

/** One file of an archive. Names are byte strings. */
export interface TarEntry {
  readonly name: string;
  readonly type: TarType;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the Unix epoch. */
  readonly mtimeSec: number;
  readonly sizeBytes: number;
  /** Where a link of either kind leads. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes, xattr(7). */
  readonly xattrs: readonly (readonly [name: string, value: string])[];
}

/** The blocks before the content of an entry: what does not fit a ustar header is in an extended one, pax(1). */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records: string[] = [];
  const { name, target, sizeBytes, uid, gid, mtimeSec } = entry;
  if (name.length > NAME_BYTES_MAX) records.push(record('path', name));
  if (target.length > NAME_BYTES_MAX) records.push(record('linkpath', target));
  if (sizeBytes > LARGE_MAX) records.push(record('size', String(sizeBytes)));
  if (uid > SMALL_MAX) records.push(record('uid', String(uid)));
  if (gid > SMALL_MAX) records.push(record('gid', String(gid)));
  if (mtimeSec < 0 || mtimeSec > LARGE_MAX) records.push(record('mtime', String(mtimeSec)));
  for (const [key, value] of entry.xattrs) records.push(record(`SCHILY.xattr.${key}`, value));
  const plain = ustar(entry, entry.type);
  if (records.length === 0) return plain;
  const text = records.join('');
  const extended = ustar({ ...entry, name: 'PaxHeaders/0', target: '', sizeBytes: text.length }, 'x');
  const blocks = new Uint8Array(extended.length + text.length + paddingBytes(text.length) + plain.length);
  blocks.set(extended);
  put(blocks, extended.length, text);
  blocks.set(plain, blocks.length - plain.length);
  return blocks;
}

/** What follows content of `lenBytes` up to the next block. */
export function paddingBytes(lenBytes: number): number {
  return (BLOCK_BYTES - (lenBytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** The end of an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}

function ustar(entry: TarEntry, type: TarType | 'x'): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  put(block, 0, entry.name.slice(0, NAME_BYTES_MAX));
  put(block, 100, octal(entry.mode, 7));
  put(block, 108, octal(entry.uid, 7));
  put(block, 116, octal(entry.gid, 7));
  put(block, 124, octal(entry.sizeBytes, 11));
  put(block, 136, octal(entry.mtimeSec, 11));
  put(block, 148, ' '.repeat(8)); // The checksum is counted over spaces.
  put(block, 156, type);
  put(block, 157, entry.target.slice(0, NAME_BYTES_MAX));
  put(block, 257, 'ustar\0' + '00');
  put(block, 329, octal(entry.major, 7));
  put(block, 337, octal(entry.minor, 7));
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  put(block, 148, `${octal(checksum, 6)}\0 `);
  return block;
}

/** 0 for what does not fit: an extended header says it. */
function octal(value: number, digits: number): string {
  const fits = value >= 0 && value < 8 ** digits;
  return (fits ? value : 0).toString(8).padStart(digits, '0');
}

/** `LENGTH KEY=VALUE\n`; the length counts itself. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let len = rest.length + 1;
  while (String(len).length + rest.length !== len) len = String(len).length + rest.length;
  return `${len}${rest}`;
}

function put(block: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) block[at + i] = text.charCodeAt(i);
}
