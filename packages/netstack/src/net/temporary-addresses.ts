import { Timer } from '@tsv/clock';
import type { Stack } from '../stack.js';
import { IpAddress } from '../wire/ip-address.js';
import type { Nic } from './nic.js';
import { AddressState, IFA_F_NOPREFIXROUTE, IFA_F_TEMPORARY, type NicAddress } from './nic-address.js';

/** use_tempaddr of ip-sysctl: none, some that are used when they are asked for, or some that are used before others. */
export const TemporaryUse = { NONE: 0, AVAILABLE: 1, PREFERRED: 2 } as const;
export type TemporaryUse = (typeof TemporaryUse)[keyof typeof TemporaryUse];

/** RFC 8981 section 3.8. */
export const TEMP_VALID_MS = 2 * 86_400_000;
export const TEMP_PREFERRED_MS = 86_400_000;
const DESYNC_MS_MAX = 0.4 * TEMP_PREFERRED_MS;
const IDGEN_RETRIES = 3;
const RETRANS_TIME_MS = 1_000;
const PREFIX_LEN = 64;
/** Addresses of one interface, temporary ones or not, beyond which none is made. */
const ADDRESS_COUNT_MAX = 16;

/** A prefix for which there are temporary addresses, the youngest of which is in use. */
class TemporaryPrefix extends Timer {
  readonly nic: Nic;
  readonly prefix: IpAddress;
  validUntilMs = 0;
  preferredUntilMs = 0;
  current: NicAddress | null = null;
  /** Identifiers in a row that others had. */
  takenCount = 0;
  readonly #keeper: TemporaryAddresses;

  constructor(keeper: TemporaryAddresses, nic: Nic, prefix: IpAddress) {
    super();
    this.#keeper = keeper;
    this.nic = nic;
    this.prefix = prefix;
  }

  fired(): void {
    this.#keeper.make(this);
  }
}

/** Addresses that change from day to day, so that nobody can tell what a host does by its address: RFC 8981. */
export class TemporaryAddresses {
  use: TemporaryUse = TemporaryUse.NONE;
  readonly #stack: Stack;
  readonly #arm: (entry: NicAddress) => void;
  readonly #prefixes: TemporaryPrefix[] = [];
  readonly #madeMs = new WeakMap<NicAddress, number>();

  /** `arm`: waits for the end of the lifetimes of an address. */
  constructor(stack: Stack, arm: (entry: NicAddress) => void) {
    this.#stack = stack;
    this.#arm = arm;
  }

  /** A router has told lifetimes of a prefix for addresses: section 3.4. */
  advertised(nic: Nic, prefix: IpAddress, validMs: number, preferredMs: number): void {
    if (this.use === TemporaryUse.NONE) return;
    const { nowMs } = this.#stack;
    let known = this.#prefixes.find((entry) => entry.nic === nic && entry.prefix.matches(prefix, PREFIX_LEN));
    if (known === undefined) {
      if (preferredMs <= this.#advanceMs()) return;
      known = new TemporaryPrefix(this, nic, prefix.masked(PREFIX_LEN));
      this.#prefixes.push(known);
    }
    known.validUntilMs = nowMs + validMs;
    known.preferredUntilMs = nowMs + preferredMs;
    for (const entry of nic.addresses) if (this.#isOf(known, entry)) this.#setLifetimes(known, entry);
    const { current } = known;
    if (current === null || nic.findAddress(current.address) !== current) this.make(known);
    else this.#armNext(known);
  }

  /** Makes the next address of a prefix, while the last one is still in use: section 3.4. */
  make(known: TemporaryPrefix): void {
    const { nic } = known;
    const isOver = known.preferredUntilMs - this.#stack.nowMs <= this.#advanceMs();
    if (isOver || !nic.isUp || nic.addresses.length >= ADDRESS_COUNT_MAX || known.takenCount > IDGEN_RETRIES) {
      known.current = null;
      return;
    }
    const flags = IFA_F_NOPREFIXROUTE | IFA_F_TEMPORARY;
    const entry = nic.addAddress({ address: this.#randomAddress(known), prefixLen: PREFIX_LEN }, flags)!;
    this.#madeMs.set(entry, this.#stack.nowMs - this.#stack.random.below(DESYNC_MS_MAX));
    known.current = entry;
    this.#setLifetimes(known, entry);
    this.#armNext(known);
  }

  /** Somebody else has a temporary address: section 3.4, step 7. */
  taken(entry: NicAddress): void {
    const known = this.#prefixes.find(({ current }) => current === entry);
    entry.nic.removeAddress(entry.address);
    if (known === undefined) return;
    known.takenCount++;
    this.make(known);
  }

  /** Forgets about an interface that goes down; its addresses end by themselves. */
  forget(nic: Nic): void {
    for (const known of this.#prefixes.filter((entry) => entry.nic === nic)) {
      this.#stack.timers.disarm(known);
      this.#prefixes.splice(this.#prefixes.indexOf(known), 1);
    }
  }

  /** REGEN_ADVANCE: how long before its end an address is followed by the next. */
  #advanceMs(): number {
    return 2_000 + IDGEN_RETRIES * this.#stack.dadTransmits * RETRANS_TIME_MS;
  }

  #isOf(known: TemporaryPrefix, entry: NicAddress): boolean {
    return (entry.flags & IFA_F_TEMPORARY) !== 0 && entry.address.matches(known.prefix, PREFIX_LEN);
  }

  /** Never longer than the router says, nor than a temporary address may live. */
  #setLifetimes(known: TemporaryPrefix, entry: NicAddress): void {
    const madeMs = this.#madeMs.get(entry) ?? this.#stack.nowMs;
    entry.validUntilMs = Math.min(known.validUntilMs, madeMs + TEMP_VALID_MS);
    entry.preferredUntilMs = Math.min(known.preferredUntilMs, madeMs + TEMP_PREFERRED_MS);
    if (!entry.isAssigned) return;
    const isPreferred = entry.preferredUntilMs > this.#stack.nowMs;
    entry.state = isPreferred ? AddressState.PREFERRED : AddressState.DEPRECATED;
    this.#arm(entry);
  }

  #armNext(known: TemporaryPrefix): void {
    known.takenCount = known.current?.isAssigned === true ? 0 : known.takenCount;
    this.#stack.timers.arm(known, known.current!.preferredUntilMs - this.#advanceMs());
  }

  /** With an identifier that is not reserved, RFC 5453, and that the interface does not have: section 3.3.1. */
  #randomAddress({ nic, prefix }: TemporaryPrefix): IpAddress {
    const { random } = this.#stack;
    for (;;) {
      const address = new IpAddress(prefix.w0, prefix.w1, random.u32(), random.u32());
      if (!isReservedIdentifier(address.w2, address.w3) && nic.findAddress(address) === undefined) return address;
    }
  }
}

/** Identifiers of anycast addresses: RFC 5453 section 3. */
export function isReservedIdentifier(w2: number, w3: number): boolean {
  const [high, low] = [w2 >>> 0, w3 >>> 0];
  if (high === 0 && low === 0) return true;
  if (high === 0x02005eff && low >= 0xfe000000 && low <= 0xfe005212) return true;
  return high === 0xfdffffff && low >= 0xffffff80;
}
