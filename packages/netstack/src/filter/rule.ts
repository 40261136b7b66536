import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { TokenBucket } from '../icmp/rate-limit.js';
import type { Nic } from '../net/nic.js';
import { loadU16 } from '../wire/byte-order.js';
import { type IpAddress, type IpPrefix, prefixBitsOf } from '../wire/ip-address.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';
import type { CtState } from './conntrack.js';
import type { Flow } from './flow.js';

/** A packet on its way through a chain, and what is known of it. One object is reused. */
export class FilterContext {
  packet!: PacketBuffer;
  hook = 0;
  inNic: Nic | null = null;
  outNic: Nic | null = null;
  flow: Flow | null = null;
  isReply = false;
  ctState: CtState = 1;
  nowMs = 0;
}

/** A condition of a rule. */
export interface Match {
  matches(context: FilterContext): boolean;
}

/** What a rule says about addresses, interfaces and protocol: the fields of `struct ipt_ip`. */
export interface RuleHeader {
  readonly source?: IpPrefix;
  readonly isSourceInverted?: boolean;
  readonly destination?: IpPrefix;
  readonly isDestinationInverted?: boolean;
  /** Name of an interface; a `+` at the end matches any rest. */
  readonly inInterface?: string;
  readonly isInInverted?: boolean;
  readonly outInterface?: string;
  readonly isOutInverted?: boolean;
  /** `IPPROTO_*`; 0 or absent for all. */
  readonly protocol?: number;
  readonly isProtocolInverted?: boolean;
}

/** What becomes of a packet: the targets of iptables-extensions(8). */
export type Target =
  | { readonly kind: 'ACCEPT' }
  | { readonly kind: 'DROP' }
  | { readonly kind: 'RETURN' }
  /** Goes on with a chain of the user; RETURN comes back behind this rule, unless `isGoto`. */
  | { readonly kind: 'JUMP'; readonly chain: string; readonly isGoto?: boolean }
  | { readonly kind: 'REJECT'; readonly with: 'port' | 'host' | 'net' | 'admin' | 'tcp-reset' }
  | { readonly kind: 'MARK'; readonly value: number; readonly mask: number }
  | { readonly kind: 'CONNMARK'; readonly operation: 'set' | 'save' | 'restore'; readonly value: number }
  | { readonly kind: 'LOG'; readonly prefix: string }
  | { readonly kind: 'NOTRACK' }
  | { readonly kind: 'DNAT'; readonly address: IpAddress; readonly port: number }
  | { readonly kind: 'SNAT'; readonly address: IpAddress; readonly portMin: number; readonly portMax: number }
  | { readonly kind: 'MASQUERADE'; readonly portMin: number; readonly portMax: number }
  | { readonly kind: 'REDIRECT'; readonly port: number };

/** One rule: all of it must match for its target to be taken. */
export class Rule {
  readonly header: RuleHeader;
  readonly matches: readonly Match[];
  readonly target: Target | null;
  packets = 0;
  bytes = 0;

  /** A null target only counts. */
  constructor(header: RuleHeader, matches: readonly Match[], target: Target | null) {
    this.header = header;
    this.matches = matches;
    this.target = target;
  }

  fits(context: FilterContext): boolean {
    if (!headerFits(this.header, context)) return false;
    for (const match of this.matches) if (!match.matches(context)) return false;
    return true;
  }
}

function headerFits(header: RuleHeader, context: FilterContext): boolean {
  const { packet } = context;
  const { source, destination, protocol, inInterface, outInterface } = header;
  if (source !== undefined && isIn(source, packet.src) === (header.isSourceInverted === true)) return false;
  if (destination !== undefined && isIn(destination, packet.dst) === (header.isDestinationInverted === true))
    return false;
  if (protocol !== undefined && protocol !== 0) {
    if ((packet.protocol === protocol) === (header.isProtocolInverted === true)) return false;
  }
  if (inInterface !== undefined && isNamed(context.inNic, inInterface) === (header.isInInverted === true)) return false;
  return outInterface === undefined || isNamed(context.outNic, outInterface) !== (header.isOutInverted === true);
}

function isIn(prefix: IpPrefix, address: IpAddress): boolean {
  return prefix.address.isIpv4 === address.isIpv4 && address.matches(prefix.address, prefixBitsOf(prefix));
}

function isNamed(nic: Nic | null, pattern: string): boolean {
  if (nic === null) return false;
  return pattern.endsWith('+') ? nic.name.startsWith(pattern.slice(0, -1)) : nic.name === pattern;
}

/** A range of ports, both ends included. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
  readonly isInverted?: boolean;
}

/** Match `tcp` and `udp`: ports, and the control bits of TCP. */
export class PortMatch implements Match {
  readonly #source: PortRange | null;
  readonly #destination: PortRange | null;
  readonly #flagsMask: number;
  readonly #flags: number;

  /** `flags` must be those set of `flagsMask`; a mask of 0 asks for nothing. */
  constructor(source: PortRange | null, destination: PortRange | null, flagsMask = 0, flags = 0) {
    this.#source = source;
    this.#destination = destination;
    this.#flagsMask = flagsMask;
    this.#flags = flags;
  }

  matches({ packet }: FilterContext): boolean {
    const { bytes, transportAt } = packet;
    if (!hasPorts(packet)) return false;
    if (this.#source !== null && !isInRange(this.#source, loadU16(bytes, transportAt))) return false;
    if (this.#destination !== null && !isInRange(this.#destination, loadU16(bytes, transportAt + 2))) return false;
    return this.#flagsMask === 0 || (bytes[transportAt + 13]! & this.#flagsMask) === this.#flags;
  }
}

/** Match `multiport`. */
export class MultiportMatch implements Match {
  readonly #where: 'source' | 'destination' | 'either';
  readonly #ranges: readonly PortRange[];
  readonly #isInverted: boolean;

  constructor(where: 'source' | 'destination' | 'either', ranges: readonly PortRange[], isInverted = false) {
    this.#where = where;
    this.#ranges = ranges;
    this.#isInverted = isInverted;
  }

  matches({ packet }: FilterContext): boolean {
    if (!hasPorts(packet)) return false;
    const source = loadU16(packet.bytes, packet.transportAt);
    const destination = loadU16(packet.bytes, packet.transportAt + 2);
    let isListed = false;
    for (const range of this.#ranges) {
      if (this.#where !== 'destination' && isInRange(range, source)) isListed = true;
      if (this.#where !== 'source' && isInRange(range, destination)) isListed = true;
    }
    return isListed !== this.#isInverted;
  }
}

/** Match `icmp` and `icmp6`: a type and codes. */
export class IcmpMatch implements Match {
  readonly #type: number;
  readonly #codes: PortRange;

  /** Type 255 is any. */
  constructor(type: number, codeMin = 0, codeMax = 255) {
    this.#type = type;
    this.#codes = { min: codeMin, max: codeMax };
  }

  matches({ packet }: FilterContext): boolean {
    const { bytes, transportAt, protocol } = packet;
    if (protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6) return false;
    if (transportAt < 0 || packet.end - transportAt < 2) return false;
    return this.#type === 255 || (bytes[transportAt] === this.#type && isInRange(this.#codes, bytes[transportAt + 1]!));
  }
}

/** Match `conntrack` and `state`: any of the states in a mask of `CtState`. */
export class StateMatch implements Match {
  readonly #states: number;

  constructor(states: number) {
    this.#states = states;
  }

  matches(context: FilterContext): boolean {
    return (context.ctState & this.#states) !== 0;
  }
}

/** Match `mark`. */
export class MarkMatch implements Match {
  readonly #value: number;
  readonly #mask: number;

  constructor(value: number, mask: number) {
    this.#value = value;
    this.#mask = mask;
  }

  matches({ packet }: FilterContext): boolean {
    return (packet.mark & this.#mask) === this.#value;
  }
}

/** Match `limit`: a token bucket that all packets share. */
export class LimitMatch implements Match {
  readonly #perSec: number;
  readonly #burst: number;
  #bucket: TokenBucket | null = null;

  constructor(perSec: number, burst: number) {
    this.#perSec = perSec;
    this.#burst = burst;
  }

  matches(context: FilterContext): boolean {
    this.#bucket ??= new TokenBucket(this.#perSec, this.#burst, context.nowMs);
    return this.#bucket.take(1, context.nowMs);
  }
}

function isInRange(range: PortRange, value: number): boolean {
  return (value >= range.min && value <= range.max) !== (range.isInverted === true);
}

function hasPorts(packet: PacketBuffer): boolean {
  if (packet.transportAt < 0) return false;
  const headerBytes = packet.protocol === IPPROTO_TCP ? 20 : packet.protocol === IPPROTO_UDP ? 8 : Infinity;
  return packet.end - packet.transportAt >= headerBytes;
}
