import { EAGAIN, EINVAL, ENOENT, ENOPROTOOPT, EPROTONOSUPPORT } from '@tsv/abi';
import type { Netfilter, TableSet } from '../netfilter.js';
import type { Table } from '../table.js';
import { BOTH, type Family, loadText } from './extension.js';
import { MATCH_CODECS } from './match-codecs.js';
import { decodeTable, encodeCounters, encodeTable, HOOK_COUNT, type TableBlob, TABLE_BYTES_MAX } from './table-blob.js';
import { TARGET_CODECS } from './target-codecs.js';

/** Options of level SOL_IP and SOL_IPV6, linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h. */
export const IPT_SO_SET_REPLACE = 64;
export const IPT_SO_SET_ADD_COUNTERS = 65;
export const IPT_SO_GET_INFO = 64;
export const IPT_SO_GET_ENTRIES = 65;
export const IPT_SO_GET_REVISION_MATCH = 66;
export const IPT_SO_GET_REVISION_TARGET = 67;
export const IP6T_SO_GET_REVISION_MATCH = 68;
export const IP6T_SO_GET_REVISION_TARGET = 69;

const TABLE_NAME_BYTES = 32;
/** `struct ipt_getinfo`. */
const GETINFO_BYTES = 84;
const INFO_VALID_HOOKS = 32;
const INFO_HOOK_ENTRY = 36;
const INFO_UNDERFLOW = 56;
const INFO_NUM_ENTRIES = 76;
const INFO_SIZE = 80;
/** `struct ipt_get_entries`: name, size, then the entries. */
const ENTRIES_SIZE = 32;
const ENTRIES_AT = 40;
/** `struct ipt_replace`. */
const REPLACE_VALID_HOOKS = 32;
const REPLACE_NUM_ENTRIES = 36;
const REPLACE_SIZE = 40;
const REPLACE_HOOK_ENTRY = 44;
const REPLACE_UNDERFLOW = 64;
const REPLACE_NUM_COUNTERS = 84;
const REPLACE_COUNTERS = 88;
const REPLACE_BYTES = 96;
/** `struct xt_counters_info`: name, count, then the counters. */
const COUNTERS_COUNT = 32;
const COUNTERS_AT = 40;
const COUNTER_BYTES = 16;
/** `struct xt_get_revision`. */
const REVISION_NAME_BYTES = 29;
const REVISION_BYTES = 30;

/** Stores bytes at an address of the calling program's; 0 or -EFAULT. */
export type CopyOut = (addr: number, bytes: Uint8Array) => number;

/**
 * The socket options by which iptables(8) reads and replaces the tables of one family. Structures are those of x86-64;
 * everything in them may lie.
 */
export class IptablesSockopt {
  readonly #tables: TableSet;
  readonly #family: Family;

  constructor(netfilter: Netfilter, family: Family) {
    this.#tables = family === 4 ? netfilter.ipv4 : netfilter.ipv6;
    this.#family = family;
  }

  /** Whether {@link IptablesSockopt.get} and {@link IptablesSockopt.set} know options of this number. */
  static knows(name: number): boolean {
    return name >= IPT_SO_SET_REPLACE && name <= IP6T_SO_GET_REVISION_TARGET;
  }

  /**
   * getsockopt(2): `value` is what the program gave and gets back, of the length that it said. Returns the length of
   * what is stored. `copyRevision` answers are returned as {@link RevisionAnswer}. Errors: EINVAL, ENOENT for a table
   * that there is not, EAGAIN if it has changed, EPROTONOSUPPORT, ENOPROTOOPT.
   */
  get(name: number, value: Uint8Array): number {
    const isIpv6 = this.#family === 6;
    switch (name) {
      case IPT_SO_GET_INFO:
        return this.#getInfo(value);
      case IPT_SO_GET_ENTRIES:
        return this.#getEntries(value);
      case isIpv6 ? IP6T_SO_GET_REVISION_MATCH : IPT_SO_GET_REVISION_MATCH:
        return revisionOf(MATCH_CODECS, value, this.#family);
      case isIpv6 ? IP6T_SO_GET_REVISION_TARGET : IPT_SO_GET_REVISION_TARGET:
        return revisionOf([...TARGET_CODECS, ...EVERYWHERE], value, this.#family);
      default:
        return -ENOPROTOOPT;
    }
  }

  /**
   * setsockopt(2). `copyOut` stores the old counters where the program wants them. Errors: EINVAL, ENOENT, EAGAIN if the
   * program has not seen the last change, EFAULT, ENOPROTOOPT.
   */
  set(name: number, value: Uint8Array, copyOut: CopyOut): number {
    if (name === IPT_SO_SET_REPLACE) return this.#replace(value, copyOut);
    return name === IPT_SO_SET_ADD_COUNTERS ? this.#addCounters(value) : -ENOPROTOOPT;
  }

  #getInfo(value: Uint8Array): number {
    if (value.length !== GETINFO_BYTES) return -EINVAL;
    const blob = this.#blobOf(value);
    if (typeof blob === 'number') return blob;
    const view = viewOf(value);
    view.setUint32(INFO_VALID_HOOKS, blob.validHooks, true);
    for (let hook = 0; hook < HOOK_COUNT; hook++) {
      view.setUint32(INFO_HOOK_ENTRY + hook * 4, blob.hookEntries[hook]!, true);
      view.setUint32(INFO_UNDERFLOW + hook * 4, blob.underflows[hook]!, true);
    }
    view.setUint32(INFO_NUM_ENTRIES, blob.counted.length, true);
    view.setUint32(INFO_SIZE, blob.entries.length, true);
    return GETINFO_BYTES;
  }

  #getEntries(value: Uint8Array): number {
    if (value.length < ENTRIES_AT) return -EINVAL;
    const size = viewOf(value).getUint32(ENTRIES_SIZE, true);
    if (value.length !== ENTRIES_AT + size) return -EINVAL;
    const blob = this.#blobOf(value);
    if (typeof blob === 'number') return blob;
    if (blob.entries.length !== size) return -EAGAIN;
    value.set(blob.entries, ENTRIES_AT);
    return value.length;
  }

  #replace(value: Uint8Array, copyOut: CopyOut): number {
    if (value.length < REPLACE_BYTES) return -EINVAL;
    const view = viewOf(value);
    const size = view.getUint32(REPLACE_SIZE, true);
    if (size > TABLE_BYTES_MAX || value.length - REPLACE_BYTES !== size) return -EINVAL;
    const table = this.#tableOf(value);
    const before = this.#blobOf(value);
    if (table === undefined || typeof before === 'number') return typeof before === 'number' ? before : -ENOENT;
    const words = (at: number): number[] =>
      Array.from({ length: HOOK_COUNT }, (_, i) => view.getUint32(at + i * 4, true));
    const validHooks = view.getUint32(REPLACE_VALID_HOOKS, true);
    if (validHooks !== before.validHooks) return -EINVAL;
    const chains = decodeTable(
      {
        entries: value.subarray(REPLACE_BYTES),
        entryCount: view.getUint32(REPLACE_NUM_ENTRIES, true),
        hookEntries: words(REPLACE_HOOK_ENTRY),
        underflows: words(REPLACE_UNDERFLOW),
        validHooks,
      },
      this.#family,
    );
    if (chains === undefined) return -EINVAL;
    if (view.getUint32(REPLACE_NUM_COUNTERS, true) !== before.counted.length) return -EAGAIN;
    const counters = encodeCounters(before.counted);
    if (!table.load(chains)) return -EINVAL;
    // As in Linux, the table is replaced even where the counters cannot be told.
    return copyOut(
      view.getUint32(REPLACE_COUNTERS, true) + view.getUint32(REPLACE_COUNTERS + 4, true) * 2 ** 32,
      counters,
    );
  }

  #addCounters(value: Uint8Array): number {
    if (value.length < COUNTERS_AT) return -EINVAL;
    const view = viewOf(value);
    const count = view.getUint32(COUNTERS_COUNT, true);
    if (value.length !== COUNTERS_AT + count * COUNTER_BYTES) return -EINVAL;
    const blob = this.#blobOf(value);
    if (typeof blob === 'number') return blob;
    if (blob.counted.length !== count) return -EINVAL;
    for (const [i, counted] of blob.counted.entries()) {
      if (counted === null) continue;
      const at = COUNTERS_AT + i * COUNTER_BYTES;
      counted.packets += view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      counted.bytes += view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * 2 ** 32;
    }
    return 0;
  }

  #tableOf(value: Uint8Array): Table | undefined {
    const name = loadText({ view: viewOf(value), at: 0, len: TABLE_NAME_BYTES }, 0, TABLE_NAME_BYTES);
    return TABLES.includes(name as keyof TableSet) ? this.#tables[name as keyof TableSet] : undefined;
  }

  #blobOf(value: Uint8Array): TableBlob | number {
    const table = this.#tableOf(value);
    if (table === undefined) return -ENOENT;
    return encodeTable(table, this.#family) ?? -EINVAL;
  }
}

const TABLES: readonly (keyof TableSet)[] = ['raw', 'mangle', 'nat', 'filter'];
/** Targets that every table has: the standard one, without a name, and the one that chains begin with. */
const EVERYWHERE = ['', 'ERROR'].map((name) => ({ name, revision: 0, families: BOTH }));

/** The latest revision of an extension: what the program may use. */
function revisionOf(
  codecs: readonly { readonly name: string; readonly revision: number; readonly families: readonly Family[] }[],
  value: Uint8Array,
  family: Family,
): number {
  if (value.length !== REVISION_BYTES) return -EINVAL;
  const name = loadText({ view: viewOf(value), at: 0, len: REVISION_NAME_BYTES }, 0, REVISION_NAME_BYTES);
  const known = codecs.filter((codec) => codec.name === name && codec.families.includes(family));
  if (known.length === 0) return -ENOENT;
  const latest = Math.max(...known.map(({ revision }) => revision));
  return known.some(({ revision }) => revision === value[REVISION_NAME_BYTES]!) ? latest : -EPROTONOSUPPORT;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
