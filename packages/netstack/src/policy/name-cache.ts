import { AddressMap } from '../net/address-map.js';
import type { IpAddress } from '../wire/ip-address.js';

/** Addresses, and names of one address, that are remembered. */
export const ADDRESS_COUNT_MAX = 16_384;
export const NAME_COUNT_MAX = 16;
/** Programs use an address for some time after its record has expired. */
export const GRACE_MS = 300_000;

interface KnownName {
  readonly name: string;
  readonly untilMs: number;
}

/** Which names the addresses were resolved from: the latest, and all that must be kept. */
export class NameCache {
  readonly #byAddress: AddressMap<KnownName[]>;
  readonly #mustKeep: (name: string) => boolean;

  /** `mustKeep` says which names are not to make room for others. */
  constructor(seed: number, mustKeep: (name: string) => boolean) {
    this.#byAddress = new AddressMap(seed);
    this.#mustKeep = mustKeep;
  }

  get count(): number {
    return this.#byAddress.count;
  }

  /** Notes that `name` has resolved to `address`. False if there is no room. */
  add(address: IpAddress, name: string, ttlSec: number, nowMs: number): boolean {
    let untilMs = nowMs + Math.min(ttlSec, 86_400) * 1000 + GRACE_MS;
    let names = this.#byAddress.get(address);
    if (names === undefined) {
      if (this.#byAddress.count >= ADDRESS_COUNT_MAX && !this.#makeRoom(nowMs)) return false;
      names = [];
      this.#byAddress.set(address, names);
    }
    const index = names.findIndex((known) => known.name === name);
    if (index >= 0) untilMs = Math.max(untilMs, names.splice(index, 1)[0]!.untilMs);
    if (names.length >= NAME_COUNT_MAX) {
      const victim = names.findIndex((known) => known.untilMs <= nowMs || !this.#mustKeep(known.name));
      if (victim < 0) return false;
      names.splice(victim, 1);
    }
    names.push({ name, untilMs });
    return true;
  }

  /** The names of an address, the latest last. */
  names(address: IpAddress, nowMs: number): string[] {
    const names = this.#byAddress.get(address) ?? [];
    return names.filter((known) => known.untilMs > nowMs).map((known) => known.name);
  }

  /** Forgets the addresses whose names have expired; if there are none, those without a name that must be kept. */
  #makeRoom(nowMs: number): boolean {
    return (
      this.#forget((names) => names.length === 0, nowMs) ||
      this.#forget((names) => !names.some((name) => this.#mustKeep(name)), nowMs)
    );
  }

  /** Whether there were any to forget. */
  #forget(isLost: (names: readonly string[]) => boolean, nowMs: number): boolean {
    const lost = [...this.#byAddress.keys()].filter((address) => isLost(this.names(address, nowMs)));
    for (const address of lost) this.#byAddress.delete(address);
    return lost.length > 0;
  }
}
