import { AddressMap } from '../net/address-map.js';
import type { IpAddress } from '../wire/ip-address.js';

/** Addresses, and names of one address, that are remembered. */
export const ADDRESS_COUNT_MAX = 16_384;
export const NAME_COUNT_MAX = 16;
/** Programs use an address for some time after its record has expired. */
const GRACE_MS = 300_000;

interface KnownName {
  readonly name: string;
  untilMs: number;
}

/** Which names the addresses were resolved from. */
export class NameCache {
  readonly #byAddress: AddressMap<KnownName[]>;

  constructor(seed: number) {
    this.#byAddress = new AddressMap(seed);
  }

  get count(): number {
    return this.#byAddress.count;
  }

  /** Notes that `name` has resolved to `address`. */
  add(address: IpAddress, name: string, ttlSec: number, nowMs: number): void {
    const untilMs = nowMs + Math.min(ttlSec, 86_400) * 1000 + GRACE_MS;
    let names = this.#byAddress.get(address);
    if (names === undefined) {
      if (this.#byAddress.count >= ADDRESS_COUNT_MAX) this.#expire(nowMs);
      names = [];
      this.#byAddress.set(address, names);
    }
    const index = names.findIndex((known) => known.name === name);
    if (index >= 0) names.splice(index, 1);
    names.push({ name, untilMs });
    if (names.length > NAME_COUNT_MAX) names.shift();
  }

  /** The names of an address, the latest last. */
  names(address: IpAddress, nowMs: number): string[] {
    const names = this.#byAddress.get(address) ?? [];
    return names.filter((known) => known.untilMs > nowMs).map((known) => known.name);
  }

  /** Makes room: forgets what has expired, or everything if nothing has. */
  #expire(nowMs: number): void {
    const expired: IpAddress[] = [];
    for (const address of this.#byAddress.keys()) if (this.names(address, nowMs).length === 0) expired.push(address);
    for (const address of expired) this.#byAddress.delete(address);
    if (expired.length === 0) this.#byAddress.clear();
  }
}
