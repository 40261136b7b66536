import { type Match, Rule, type Target } from '../rule.js';
import { Chain, HOOK_CHAINS, type Table } from '../table.js';
import { ENTRY_LAYOUTS, isUnconditional, loadHeader, storeHeader } from './entry-layout.js';
import { aligned, type ExtensionData, type Family, loadText } from './extension.js';
import { MATCH_CODECS } from './match-codecs.js';
import { TARGET_CODECS } from './target-codecs.js';

/** `struct xt_entry_match` and `xt_entry_target`: size, name, revision. */
const EXTENSION_BYTES = 32;
const NAME = 2;
const NAME_BYTES = 29;
const REVISION = 31;
/** `struct xt_standard_target`, `struct xt_error_target`. */
const STANDARD_BYTES = 40;
const ERROR_BYTES = 64;
const ERROR_NAME_BYTES = 30;
const ERROR_TARGET = 'ERROR';
const COUNTER_BYTES = 16;

/** Verdicts of standard targets: -NF_DROP - 1 and so on; others are offsets of entries. */
const VERDICT_DROP = -1;
const VERDICT_ACCEPT = -2;
const VERDICT_RETURN = -5;

export const HOOK_COUNT = 5;
/** Offset of a hook that a table has not. */
export const NO_OFFSET = 0xffffffff;
/** Bytes of entries that a program may load: as many rules as a table holds, and then some. */
export const TABLE_BYTES_MAX = 16 << 20;

/** What counts packets: a rule, or a built-in chain's policy; null for entries that no packet reaches. */
export type Counted = { packets: number; bytes: number } | null;

/** A table's entries as the sockopt ABI has them: linux/netfilter/x_tables.h. */
export interface TableBlob {
  readonly entries: Uint8Array;
  readonly hookEntries: readonly number[];
  readonly underflows: readonly number[];
  readonly validHooks: number;
  /** By entry, in order. */
  readonly counted: readonly Counted[];
}

/** Encodes a table; undefined if a rule of it cannot be told in this family. */
export function encodeTable(table: Table, family: Family): TableBlob | undefined {
  return new Encoder(table, family).encode();
}

class Encoder {
  readonly #table: Table;
  readonly #family: Family;
  readonly #parts: { bytes: Uint8Array; jump: { at: number; chain: string } | null }[] = [];
  readonly #counted: Counted[] = [];
  readonly #chainAt = new Map<string, number>();
  #at = 0;

  constructor(table: Table, family: Family) {
    this.#table = table;
    this.#family = family;
  }

  encode(): TableBlob | undefined {
    const hookEntries = new Array<number>(HOOK_COUNT).fill(NO_OFFSET);
    const underflows = new Array<number>(HOOK_COUNT).fill(NO_OFFSET);
    let validHooks = 0;
    for (const [hook, name] of HOOK_CHAINS.entries()) {
      const chain = this.#table.chain(name);
      if (chain === undefined) continue;
      validHooks |= 1 << hook;
      hookEntries[hook] = this.#at;
      if (!this.#addRules(chain)) return undefined;
      underflows[hook] = this.#at;
      this.#addStandard({}, false, chain.policy === 'DROP' ? VERDICT_DROP : VERDICT_ACCEPT, chain);
    }
    for (const chain of this.#table.chains) {
      if (chain.policy !== null) continue;
      this.#addError(chain.name);
      this.#chainAt.set(chain.name, this.#at);
      if (!this.#addRules(chain)) return undefined;
      this.#addStandard({}, false, VERDICT_RETURN, null);
    }
    this.#addError(ERROR_TARGET);
    return { entries: this.#join(), hookEntries, underflows, validHooks, counted: this.#counted };
  }

  #addRules(chain: Chain): boolean {
    return chain.rules.every((rule) => this.#addRule(rule));
  }

  #addRule(rule: Rule): boolean {
    const matches: Uint8Array[] = [];
    for (const match of rule.matches) {
      const bytes = encodeMatch(match, this.#family);
      if (bytes === undefined) return false;
      matches.push(bytes);
    }
    const { target } = rule;
    if (target === null || target.kind === 'ACCEPT' || target.kind === 'DROP' || target.kind === 'RETURN') {
      this.#addStandard(rule.header, false, target === null ? null : VERDICTS[target.kind], rule, matches);
      return true;
    }
    if (target.kind === 'JUMP') {
      const isGoto = target.isGoto === true;
      this.#addStandard(rule.header, isGoto, 0, rule, matches);
      const part = this.#parts.at(-1)!;
      part.jump = { at: part.bytes.length - 8, chain: target.chain };
      return true;
    }
    const bytes = encodeTarget(target, this.#family);
    if (bytes === undefined) return false;
    this.#add(rule.header, false, matches, bytes, rule);
    return true;
  }

  /** A null verdict goes on with the next entry. */
  #addStandard(
    header: Rule['header'],
    isGoto: boolean,
    verdict: number | null,
    counted: Counted,
    matches: readonly Uint8Array[] = [],
  ): void {
    const target = extension('', 0, STANDARD_BYTES);
    this.#add(header, isGoto, matches, target, counted);
    const part = this.#parts.at(-1)!;
    viewOf(part.bytes).setInt32(part.bytes.length - 8, verdict ?? this.#at, true);
  }

  #addError(name: string): void {
    const target = extension(ERROR_TARGET, 0, ERROR_BYTES);
    for (let i = 0; i < name.length; i++) target[EXTENSION_BYTES + i] = name.charCodeAt(i);
    this.#add({}, false, [], target, null);
  }

  #add(
    header: Rule['header'],
    isGoto: boolean,
    matches: readonly Uint8Array[],
    target: Uint8Array,
    counted: Counted,
  ): void {
    const layout = ENTRY_LAYOUTS[this.#family];
    const targetAt = layout.bytes + matches.reduce((sum, match) => sum + match.length, 0);
    const bytes = new Uint8Array(targetAt + target.length);
    const view = viewOf(bytes);
    storeHeader(view, 0, this.#family, header, isGoto);
    view.setUint16(layout.targetOffset, targetAt, true);
    view.setUint16(layout.nextOffset, bytes.length, true);
    if (counted !== null) storeCounter(view, layout.counters, counted);
    let at = layout.bytes;
    for (const match of matches) {
      bytes.set(match, at);
      at += match.length;
    }
    bytes.set(target, targetAt);
    this.#parts.push({ bytes, jump: null });
    this.#counted.push(counted);
    this.#at += bytes.length;
  }

  #join(): Uint8Array {
    const entries = new Uint8Array(this.#at);
    let at = 0;
    for (const { bytes, jump } of this.#parts) {
      if (jump !== null) viewOf(bytes).setInt32(jump.at, this.#chainAt.get(jump.chain)!, true);
      entries.set(bytes, at);
      at += bytes.length;
    }
    return entries;
  }
}

const VERDICTS = { ACCEPT: VERDICT_ACCEPT, DROP: VERDICT_DROP, RETURN: VERDICT_RETURN } as const;

/** What a program wants to load: fields of `struct ipt_replace`. */
export interface WantedTable {
  readonly entries: Uint8Array;
  readonly entryCount: number;
  readonly hookEntries: readonly number[];
  readonly underflows: readonly number[];
  readonly validHooks: number;
}

/** Decodes the entries of a table; undefined if anything is wrong with them. Chains come in order. */
export function decodeTable(wanted: WantedTable, family: Family): Chain[] | undefined {
  return new Decoder(wanted, family).decode();
}

interface Entry {
  readonly at: number;
  readonly next: number;
  readonly targetAt: number;
  readonly targetName: string;
}

class Decoder {
  readonly #wanted: WantedTable;
  readonly #family: Family;
  readonly #view: DataView;
  readonly #entries: Entry[] = [];
  readonly #indexAt = new Map<number, number>();
  /** Names of chains by the offset of their first entry. */
  readonly #chainNames = new Map<number, string>();

  constructor(wanted: WantedTable, family: Family) {
    this.#wanted = wanted;
    this.#family = family;
    this.#view = viewOf(wanted.entries);
  }

  decode(): Chain[] | undefined {
    if (!this.#split() || !this.#nameChains()) return undefined;
    const chains: Chain[] = [];
    const last = this.#entries.length - 1;
    for (let index = 0; index < last;) {
      const entry = this.#entries[index]!;
      const hook = this.#hookAt(entry.at);
      if (hook >= 0) {
        const end = this.#indexAt.get(this.#wanted.underflows[hook]!);
        if (end === undefined || end < index) return undefined;
        const policy = this.#verdictAt(end);
        if (policy !== VERDICT_ACCEPT && policy !== VERDICT_DROP) return undefined;
        const chain = new Chain(HOOK_CHAINS[hook]!, policy === VERDICT_DROP ? 'DROP' : 'ACCEPT');
        if (!this.#addRules(chain, index, end)) return undefined;
        chains.push(chain);
        index = end + 1;
        continue;
      }
      if (entry.targetName !== ERROR_TARGET) return undefined;
      const chain = new Chain(this.#chainNames.get(entry.next)!, null);
      let end = index + 1;
      while (end < last && this.#entries[end]!.targetName !== ERROR_TARGET && this.#hookAt(this.#entries[end]!.at) < 0)
        end++;
      // Its last entry returns.
      if (end === index + 1 || this.#verdictAt(end - 1) !== VERDICT_RETURN) return undefined;
      if (!this.#addRules(chain, index + 1, end - 1)) return undefined;
      chains.push(chain);
      index = end;
    }
    const hooks = chains.filter(({ policy }) => policy !== null).length;
    return hooks === bitCount(this.#wanted.validHooks) ? chains : undefined;
  }

  /** Finds the entries: each offset is checked against the bytes that there are. */
  #split(): boolean {
    const { entries, entryCount } = this.#wanted;
    const layout = ENTRY_LAYOUTS[this.#family];
    let at = 0;
    while (at < entries.length) {
      if (at + layout.bytes + EXTENSION_BYTES > entries.length) return false;
      const targetOffset = this.#view.getUint16(at + layout.targetOffset, true);
      const nextOffset = this.#view.getUint16(at + layout.nextOffset, true);
      if ((targetOffset | nextOffset) & 7 || targetOffset < layout.bytes) return false;
      if (targetOffset + EXTENSION_BYTES > nextOffset || at + nextOffset > entries.length) return false;
      const targetAt = at + targetOffset;
      const size = this.#view.getUint16(targetAt, true);
      if (size < EXTENSION_BYTES || targetOffset + size > nextOffset) return false;
      const targetName = this.#text(targetAt + NAME, NAME_BYTES);
      this.#indexAt.set(at, this.#entries.length);
      this.#entries.push({ at, next: at + nextOffset, targetAt, targetName });
      if (this.#entries.length > entryCount) return false;
      at += nextOffset;
    }
    return this.#entries.length === entryCount && this.#entries.at(-1)?.targetName === ERROR_TARGET;
  }

  #nameChains(): boolean {
    const names = new Set<string>(HOOK_CHAINS);
    for (const entry of this.#entries.slice(0, -1)) {
      if (entry.targetName !== ERROR_TARGET) continue;
      if (this.#sizeOf(entry) !== ERROR_BYTES || !isUnconditional(this.#view, entry.at, this.#family)) return false;
      const name = this.#text(entry.targetAt + EXTENSION_BYTES, ERROR_NAME_BYTES);
      if (name === '' || names.has(name)) return false;
      names.add(name);
      this.#chainNames.set(entry.next, name);
    }
    return true;
  }

  #hookAt(at: number): number {
    const { hookEntries, validHooks } = this.#wanted;
    return hookEntries.findIndex((offset, hook) => (validHooks & (1 << hook)) !== 0 && offset === at);
  }

  /** The verdict of an entry that must have no conditions; NaN if it is another one. */
  #verdictAt(index: number): number {
    const entry = this.#entries[index]!;
    const isPlain = entry.targetName === '' && this.#sizeOf(entry) === STANDARD_BYTES;
    const hasNoMatch = entry.targetAt === entry.at + ENTRY_LAYOUTS[this.#family].bytes;
    if (!isPlain || !hasNoMatch || !isUnconditional(this.#view, entry.at, this.#family)) return NaN;
    return this.#view.getInt32(entry.targetAt + EXTENSION_BYTES, true);
  }

  #addRules(chain: Chain, from: number, to: number): boolean {
    for (let index = from; index < to; index++) {
      const rule = this.#rule(this.#entries[index]!);
      if (rule === undefined) return false;
      chain.rules.push(rule);
    }
    return true;
  }

  #rule(entry: Entry): Rule | undefined {
    const loaded = loadHeader(this.#view, entry.at, this.#family);
    if (loaded === undefined) return undefined;
    const matches = this.#matches(entry, loaded.header.isProtocolInverted === true ? 0 : (loaded.header.protocol ?? 0));
    if (matches === undefined) return undefined;
    if (entry.targetName === '') return this.#standardRule(entry, loaded.header, matches, loaded.isGoto);
    const codec = this.#targetCodec(entry);
    if (codec === undefined) return undefined;
    const target = codec.decode(this.#data(entry.targetAt, codec.bytes(this.#family)), this.#family);
    return target === undefined ? undefined : new Rule(loaded.header, matches, target);
  }

  #standardRule(entry: Entry, header: Rule['header'], matches: Match[], isGoto: boolean): Rule | undefined {
    if (this.#sizeOf(entry) !== STANDARD_BYTES) return undefined;
    const verdict = this.#view.getInt32(entry.targetAt + EXTENSION_BYTES, true);
    if (verdict === entry.next) return new Rule(header, matches, null);
    if (verdict >= 0) {
      const chain = this.#chainNames.get(verdict);
      return chain === undefined ? undefined : new Rule(header, matches, { kind: 'JUMP', chain, isGoto });
    }
    const kind =
      verdict === VERDICT_ACCEPT
        ? 'ACCEPT'
        : verdict === VERDICT_DROP
          ? 'DROP'
          : verdict === VERDICT_RETURN
            ? 'RETURN'
            : undefined;
    return kind === undefined ? undefined : new Rule(header, matches, { kind });
  }

  #matches(entry: Entry, protocol: number): Match[] | undefined {
    const matches: Match[] = [];
    for (let at = entry.at + ENTRY_LAYOUTS[this.#family].bytes; at < entry.targetAt;) {
      if (at + EXTENSION_BYTES > entry.targetAt) return undefined;
      const size = this.#view.getUint16(at, true);
      if (size < EXTENSION_BYTES || size & 7 || at + size > entry.targetAt) return undefined;
      const [name, revision] = [this.#text(at + NAME, NAME_BYTES), this.#view.getUint8(at + REVISION)];
      const codec = MATCH_CODECS.find(
        (known) => known.name === name && known.revision === revision && known.families.includes(this.#family),
      );
      if (codec === undefined || codec.bytes(this.#family) !== size - EXTENSION_BYTES) return undefined;
      const match = codec.decode(this.#data(at, size - EXTENSION_BYTES), this.#family, protocol);
      if (match === undefined) return undefined;
      matches.push(match);
      at += size;
    }
    return matches;
  }

  #targetCodec(entry: Entry): (typeof TARGET_CODECS)[number] | undefined {
    const revision = this.#view.getUint8(entry.targetAt + REVISION);
    const codec = TARGET_CODECS.find(
      (known) =>
        known.name === entry.targetName && known.revision === revision && known.families.includes(this.#family),
    );
    return codec?.bytes(this.#family) === this.#sizeOf(entry) - EXTENSION_BYTES ? codec : undefined;
  }

  #sizeOf(entry: Entry): number {
    return this.#view.getUint16(entry.targetAt, true);
  }

  #data(at: number, len: number): ExtensionData {
    return { view: this.#view, at: at + EXTENSION_BYTES, len };
  }

  #text(at: number, lenMax: number): string {
    return loadText({ view: this.#view, at, len: lenMax }, 0, lenMax);
  }
}

function encodeMatch(match: Match, family: Family): Uint8Array | undefined {
  for (const codec of MATCH_CODECS) {
    if (!codec.families.includes(family)) continue;
    const bytes = extension(codec.name, codec.revision, EXTENSION_BYTES + codec.bytes(family));
    const data = { view: viewOf(bytes), at: EXTENSION_BYTES, len: codec.bytes(family) };
    if (codec.encode(data, match, family)) return bytes;
  }
  return undefined;
}

function encodeTarget(target: Target, family: Family): Uint8Array | undefined {
  for (const codec of TARGET_CODECS) {
    if (!codec.families.includes(family)) continue;
    const bytes = extension(codec.name, codec.revision, EXTENSION_BYTES + codec.bytes(family));
    const data = { view: viewOf(bytes), at: EXTENSION_BYTES, len: codec.bytes(family) };
    if (codec.encode(data, target, family)) return bytes;
  }
  return undefined;
}

/** An extension without data. */
function extension(name: string, revision: number, bytes: number): Uint8Array {
  const made = new Uint8Array(aligned(bytes));
  viewOf(made).setUint16(0, made.length, true);
  for (let i = 0; i < name.length; i++) made[NAME + i] = name.charCodeAt(i);
  made[REVISION] = revision;
  return made;
}

/** Stores packets and bytes: two 64-bit counters. */
export function storeCounter(view: DataView, at: number, counted: { packets: number; bytes: number }): void {
  for (const [offset, value] of [
    [0, counted.packets],
    [8, counted.bytes],
  ] as const) {
    view.setUint32(at + offset, value % 0x1_0000_0000, true);
    view.setUint32(at + offset + 4, Math.floor(value / 0x1_0000_0000), true);
  }
}

/** All counters of a table, by entry: an array of `struct xt_counters`. */
export function encodeCounters(counted: readonly Counted[]): Uint8Array {
  const bytes = new Uint8Array(counted.length * COUNTER_BYTES);
  const view = viewOf(bytes);
  for (const [i, entry] of counted.entries()) if (entry !== null) storeCounter(view, i * COUNTER_BYTES, entry);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bitCount(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count++;
  return count;
}
