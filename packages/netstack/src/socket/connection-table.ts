import type { IpAddress } from '../wire/ip-address.js';

/** A connection as the table sees it. */
export interface TableEntry {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  /** Written by {@link ConnectionTable}. */
  tableHash: number;
  tableNext: this | null;
}

const BUCKETS_MIN = 64;

/** Connections by their four-tuple; a look-up allocates nothing. */
export class ConnectionTable<E extends TableEntry> {
  #buckets: (E | null)[] = new Array<E | null>(BUCKETS_MIN).fill(null);
  #count = 0;
  readonly #seed: number;

  /** `seed`: random, so that peers cannot make their connections collide. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get count(): number {
    return this.#count;
  }

  lookup(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): E | null {
    const hash = this.#hash(local, localPort, remote, remotePort);
    let entry: E | null = this.#buckets[hash & (this.#buckets.length - 1)]!;
    while (entry !== null) {
      if (entry.tableHash === hash && isTuple(entry, local, localPort, remote, remotePort)) return entry;
      entry = entry.tableNext;
    }
    return null;
  }

  /** Adds an entry whose four-tuple is not in the table. */
  add(entry: E): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    entry.tableHash = this.#hash(entry.localAddress, entry.localPort, entry.remoteAddress, entry.remotePort);
    const index = entry.tableHash & (this.#buckets.length - 1);
    entry.tableNext = this.#buckets[index]!;
    this.#buckets[index] = entry;
    this.#count++;
  }

  /** Removes an entry; whether it was there. */
  remove(entry: E): boolean {
    const index = entry.tableHash & (this.#buckets.length - 1);
    let before: E | null = null;
    for (let at: E | null = this.#buckets[index]!; at !== null; at = at.tableNext) {
      if (at === entry) {
        if (before === null) this.#buckets[index] = entry.tableNext;
        else before.tableNext = entry.tableNext;
        entry.tableNext = null;
        this.#count--;
        return true;
      }
      before = at;
    }
    return false;
  }

  /** All connections, in no order. Nothing may be added or removed meanwhile. */
  *values(): IterableIterator<E> {
    for (const bucket of this.#buckets) for (let at: E | null = bucket; at !== null; at = at.tableNext) yield at;
  }

  #hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    return local.hash(remote.hash(this.#seed ^ ((localPort << 16) | remotePort)));
  }

  #grow(): void {
    const old = this.#buckets;
    const mask = old.length * 2 - 1;
    this.#buckets = new Array<E | null>(old.length * 2).fill(null);
    for (const bucket of old) {
      for (let entry: E | null = bucket; entry !== null;) {
        const next: E | null = entry.tableNext;
        entry.tableNext = this.#buckets[entry.tableHash & mask]!;
        this.#buckets[entry.tableHash & mask] = entry;
        entry = next;
      }
    }
  }
}

function isTuple(
  entry: TableEntry,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
): boolean {
  return (
    entry.localPort === localPort &&
    entry.remotePort === remotePort &&
    entry.remoteAddress.equals(remote) &&
    entry.localAddress.equals(local)
  );
}
