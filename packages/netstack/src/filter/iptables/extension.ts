import type { Match, Target } from '../rule.js';

/** What netfilter's x_tables call a family: the layout of some extensions differs. */
export type Family = 4 | 6;

/** Where an extension's data lies; `len` bytes from `at`. The words are in the machine's order, little-endian. */
export interface ExtensionData {
  readonly view: DataView;
  readonly at: number;
  readonly len: number;
}

/** Reads and writes one revision of a match of iptables-extensions(8). */
export interface MatchCodec {
  readonly name: string;
  readonly revision: number;
  /** Bytes of its data, padded to 8. */
  readonly bytes: (family: Family) => number;
  readonly families: readonly Family[];
  /** The match, or undefined if the data is invalid or asks for what there is not. */
  readonly decode: (data: ExtensionData, family: Family, protocol: number) => Match | undefined;
  /** Stores the data of a match that is of this kind; false if it is not. The bytes are zero before. */
  readonly encode: (data: ExtensionData, match: Match, family: Family) => boolean;
}

/** Reads and writes one revision of a target of iptables-extensions(8). */
export interface TargetCodec {
  readonly name: string;
  readonly revision: number;
  readonly bytes: (family: Family) => number;
  readonly families: readonly Family[];
  readonly decode: (data: ExtensionData, family: Family) => Target | undefined;
  readonly encode: (data: ExtensionData, target: Target, family: Family) => boolean;
}

export const BOTH: readonly Family[] = [4, 6];

/** XT_ALIGN: to 8 bytes. */
export function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}

export function loadText(data: ExtensionData, offset: number, lenMax: number): string {
  let text = '';
  for (let i = 0; i < lenMax; i++) {
    const byte = data.view.getUint8(data.at + offset + i);
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Stores a string of bytes, cut so that a NUL follows it. */
export function storeText(data: ExtensionData, offset: number, lenMax: number, text: string): void {
  for (let i = 0; i < Math.min(text.length, lenMax - 1); i++) {
    data.view.setUint8(data.at + offset + i, text.charCodeAt(i));
  }
}
