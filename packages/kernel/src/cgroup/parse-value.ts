import { EINVAL, ERANGE } from '@tsv/abi';
import { MAX } from './cgroup-settings.js';

/** `max`, or a whole number of at least `min`. Errors: EINVAL, ERANGE. */
export function parseCount(text: string, min: number, max: number): number {
  if (text === 'max') return MAX;
  if (!/^-?\d{1,19}$/.test(text)) return -EINVAL;
  const value = Number(text);
  return value >= min && value <= max ? value : -ERANGE;
}

const SUFFIX_SHIFT: Readonly<Record<string, number>> = { '': 0, k: 10, m: 20, g: 30, t: 40, p: 50 };
const PAGE_BYTES = 4096;

/** `max`, or bytes with a suffix as `512M`, cut to whole pages. Errors: EINVAL. */
export function parseBytes(text: string): number {
  if (text === 'max') return MAX;
  const match = /^(\d{1,19})([kmgtp]?)$/i.exec(text);
  if (match === null) return -EINVAL;
  const byteCount = Number(match[1]) * 2 ** SUFFIX_SHIFT[match[2]!.toLowerCase()]!;
  return byteCount >= 2 ** 63 ? MAX : byteCount - (byteCount % PAGE_BYTES);
}

/** How a limit is shown. */
export function limitText(value: number): string {
  return value === MAX ? 'max' : String(value);
}

/** Whether `text` is a list of numbers below `count` as `0-2,4`, cpuset(7) "List format". */
export function isNumberList(text: string, count: number): boolean {
  return text.split(',').every((part) => {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part.trim());
    if (match === null) return false;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    return first <= last && last < count;
  });
}
