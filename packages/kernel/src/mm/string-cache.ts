/** Strings that are kept, and bytes of one at most. */
const STRING_COUNT = 1024;
const STRING_BYTES_MAX = 128;

/**
 * Byte strings that were made of guest memory lately. Programs name the same files again and again: to find the
 * string that is there costs less than to make it anew, and no garbage.
 */
export class StringCache {
  readonly #strings: string[] = new Array<string>(STRING_COUNT).fill('');

  /** Bytes `[at, end)` as a byte string: one character a byte. */
  get(bytes: Uint8Array, at: number, end: number): string {
    const len = end - at;
    if (len === 0) return '';
    if (len > STRING_BYTES_MAX) return latin1(bytes, at, end);
    let hash = len;
    for (let i = at; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
    const slot = (hash ^ (hash >>> 11)) & (STRING_COUNT - 1);
    const kept = this.#strings[slot]!;
    if (isText(kept, bytes, at, len)) return kept;
    const text = latin1(bytes, at, end);
    this.#strings[slot] = text;
    return text;
  }
}

function isText(text: string, bytes: Uint8Array, at: number, len: number): boolean {
  if (text.length !== len) return false;
  for (let i = 0; i < len; i++) if (text.charCodeAt(i) !== bytes[at + i]) return false;
  return true;
}

function latin1(bytes: Uint8Array, at: number, end: number): string {
  return String.fromCharCode.apply(null, bytes.subarray(at, end) as unknown as number[]);
}
