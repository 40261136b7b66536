import { Timer } from '@tsv/clock';
import type { Stack } from '../stack.js';
import { IPV4_ANY, type IpAddress } from '../wire/ip-address.js';
import type { Nic } from './nic.js';

/** RFC 5227 section 1.1. */
const PROBE_WAIT_MS = 1_000;
const PROBE_COUNT = 3;
const PROBE_MIN_MS = 1_000;
const PROBE_MAX_MS = 2_000;
const ANNOUNCE_WAIT_MS = 2_000;
const ANNOUNCE_COUNT = 2;
const ANNOUNCE_INTERVAL_MS = 2_000;
const DEFEND_INTERVAL_MS = 10_000;

const Phase = { IDLE: 0, PROBING: 1, ANNOUNCING: 2 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** Who wants an address: hears that nobody else has it, or that somebody has. */
export interface AddressOwner {
  addressFree(): void;
  /** Nothing more is heard after it. */
  addressTaken(): void;
}

/** Sees to it that an IPv4 address is used by one host of the link only: RFC 5227. */
export class AddressDefence extends Timer {
  readonly #stack: Stack;
  readonly #nic: Nic;
  readonly #address: IpAddress;
  readonly #owner: AddressOwner;
  #phase: Phase = Phase.IDLE;
  #sentCount = 0;
  #defendedMs = -Infinity;

  constructor(stack: Stack, nic: Nic, address: IpAddress, owner: AddressOwner) {
    super();
    this.#stack = stack;
    this.#nic = nic;
    this.#address = address;
    this.#owner = owner;
  }

  /** Asks whether somebody has the address: section 2.1.1. */
  start(): void {
    this.#phase = Phase.PROBING;
    this.#sentCount = 0;
    this.#nic.defence = this;
    this.#stack.timers.arm(this, this.#stack.nowMs + this.#stack.random.below(PROBE_WAIT_MS));
  }

  stop(): void {
    this.#stack.timers.disarm(this);
    this.#phase = Phase.IDLE;
    if (this.#nic.defence === this) this.#nic.defence = null;
  }

  /** An ARP packet of somebody else's, from `sender` (0.0.0.0 in a probe) about `target`. */
  heard(sender: IpAddress, target: IpAddress): void {
    if (this.#phase === Phase.PROBING) {
      const isProbed = sender.isUnspecified && target.equals(this.#address);
      if (isProbed || sender.equals(this.#address)) this.#giveUp();
    } else if (sender.equals(this.#address)) this.#defend();
  }

  fired(nowMs: number): void {
    if (this.#phase === Phase.PROBING) this.#probe(nowMs);
    else this.#announce(nowMs);
  }

  #probe(nowMs: number): void {
    if (this.#sentCount === PROBE_COUNT) {
      this.#phase = Phase.ANNOUNCING;
      this.#sentCount = 0;
      this.#owner.addressFree();
      return this.#announce(nowMs);
    }
    this.#nic.sendArpRequest(IPV4_ANY, this.#address, null);
    this.#sentCount++;
    const betweenMs = PROBE_MIN_MS + this.#stack.random.below(PROBE_MAX_MS - PROBE_MIN_MS);
    this.#stack.timers.arm(this, nowMs + (this.#sentCount === PROBE_COUNT ? ANNOUNCE_WAIT_MS : betweenMs));
  }

  /** Section 2.3. */
  #announce(nowMs: number): void {
    this.#nic.sendArpRequest(this.#address, this.#address, null);
    if (++this.#sentCount < ANNOUNCE_COUNT) this.#stack.timers.arm(this, nowMs + ANNOUNCE_INTERVAL_MS);
  }

  /** Section 2.4 (b): once, and gives way to who insists. */
  #defend(): void {
    const { nowMs } = this.#stack;
    if (nowMs - this.#defendedMs < DEFEND_INTERVAL_MS) return this.#giveUp();
    this.#defendedMs = nowMs;
    this.#nic.sendArpRequest(this.#address, this.#address, null);
  }

  #giveUp(): void {
    this.stop();
    this.#owner.addressTaken();
  }
}
