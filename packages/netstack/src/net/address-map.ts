import type { IpAddress } from '../wire/ip-address.js';

interface Slot<V> {
  readonly address: IpAddress;
  readonly hash: number;
  value: V;
  next: Slot<V> | null;
}

const BUCKETS_MIN = 16;

/** A map from addresses, compared by value. A look-up allocates nothing. */
export class AddressMap<V> {
  #buckets: (Slot<V> | null)[] = new Array<Slot<V> | null>(BUCKETS_MIN).fill(null);
  #count = 0;
  readonly #seed: number;

  /** `seed`: a random number where the peer chooses the addresses, so that it cannot make them collide. */
  constructor(seed = 0) {
    this.#seed = seed;
  }

  get count(): number {
    return this.#count;
  }

  get(address: IpAddress): V | undefined {
    const hash = address.hash(this.#seed);
    let slot: Slot<V> | null = this.#buckets[hash & (this.#buckets.length - 1)]!;
    while (slot !== null) {
      if (slot.hash === hash && slot.address.equals(address)) return slot.value;
      slot = slot.next;
    }
    return undefined;
  }

  has(address: IpAddress): boolean {
    return this.get(address) !== undefined;
  }

  /** Sets the value of `address`, which is copied. */
  set(address: IpAddress, value: V): void {
    const hash = address.hash(this.#seed);
    const index = hash & (this.#buckets.length - 1);
    for (let slot: Slot<V> | null = this.#buckets[index]!; slot !== null; slot = slot.next) {
      if (slot.hash === hash && slot.address.equals(address)) {
        slot.value = value;
        return;
      }
    }
    this.#buckets[index] = { address: address.clone(), hash, value, next: this.#buckets[index]! };
    this.#count++;
    if (this.#count > this.#buckets.length) this.#grow();
  }

  /** Removes the value of `address`; whether there was one. */
  delete(address: IpAddress): boolean {
    const hash = address.hash(this.#seed);
    const index = hash & (this.#buckets.length - 1);
    let before: Slot<V> | null = null;
    for (let slot: Slot<V> | null = this.#buckets[index]!; slot !== null; slot = slot.next) {
      if (slot.hash === hash && slot.address.equals(address)) {
        if (before === null) this.#buckets[index] = slot.next;
        else before.next = slot.next;
        this.#count--;
        return true;
      }
      before = slot;
    }
    return false;
  }

  clear(): void {
    this.#buckets = new Array<Slot<V> | null>(BUCKETS_MIN).fill(null);
    this.#count = 0;
  }

  /** The values, in no order. Nothing may be added or removed meanwhile. */
  *values(): IterableIterator<V> {
    for (const bucket of this.#buckets) {
      for (let slot = bucket; slot !== null; slot = slot.next) yield slot.value;
    }
  }

  /** The addresses, in no order. Nothing may be added or removed meanwhile. */
  *keys(): IterableIterator<IpAddress> {
    for (const bucket of this.#buckets) {
      for (let slot = bucket; slot !== null; slot = slot.next) yield slot.address;
    }
  }

  #grow(): void {
    const old = this.#buckets;
    const mask = old.length * 2 - 1;
    this.#buckets = new Array<Slot<V> | null>(old.length * 2).fill(null);
    for (const bucket of old) {
      for (let slot = bucket; slot !== null;) {
        const next: Slot<V> | null = slot.next;
        slot.next = this.#buckets[slot.hash & mask]!;
        this.#buckets[slot.hash & mask] = slot;
        slot = next;
      }
    }
  }
}
