import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Nic } from '../net/nic.js';
import type { Stack } from '../stack.js';
import { type IpAddress, type IpPrefix, prefixBitsOf } from '../wire/ip-address.js';
import type { CtState } from './conntrack.js';
import type { Flow } from './flow.js';
import type { RejectKind } from './rejecter.js';

/** A packet on its way through a chain, and what is known of it. One object is reused. */
export class FilterContext {
  packet!: PacketBuffer;
  readonly stack: Stack;
  hook = 0;
  inNic: Nic | null = null;
  outNic: Nic | null = null;
  flow: Flow | null = null;
  isReply = false;
  ctState: CtState = 1;
  nowMs = 0;

  constructor(stack: Stack) {
    this.stack = stack;
  }
}

/** Addresses that agree with one in the bits of a mask. */
export interface AddressMask {
  readonly address: IpAddress;
  readonly mask: IpAddress;
}

/** A condition of a rule. */
export interface Match {
  matches(context: FilterContext): boolean;
}

/** What a rule says about addresses, interfaces and protocol: the fields of `struct ipt_ip`. */
export interface RuleHeader {
  readonly source?: IpPrefix | AddressMask;
  readonly isSourceInverted?: boolean;
  readonly destination?: IpPrefix | AddressMask;
  readonly isDestinationInverted?: boolean;
  /** Name of an interface; a `+` at the end matches any rest. */
  readonly inInterface?: string;
  readonly isInInverted?: boolean;
  readonly outInterface?: string;
  readonly isOutInverted?: boolean;
  /** `IPPROTO_*`; 0 or absent for all. */
  readonly protocol?: number;
  readonly isProtocolInverted?: boolean;
  /** Only fragments but the first, of IPv4. */
  readonly isForFragments?: boolean;
  readonly isFragmentInverted?: boolean;
}

/** What becomes of a packet: the targets of iptables-extensions(8). */
export type Target =
  | { readonly kind: 'ACCEPT' }
  | { readonly kind: 'DROP' }
  | { readonly kind: 'RETURN' }
  /** Goes on with a chain of the user; RETURN comes back behind this rule, unless `isGoto`. */
  | { readonly kind: 'JUMP'; readonly chain: string; readonly isGoto?: boolean }
  | { readonly kind: 'REJECT'; readonly with: RejectKind }
  | { readonly kind: 'MARK'; readonly value: number; readonly mask: number }
  | ({
      readonly kind: 'CONNMARK';
      readonly operation: 'set' | 'save' | 'restore';
      readonly value: number;
    } & Partial<ConnmarkMasks>)
  | { readonly kind: 'LOG'; readonly prefix: string; readonly level?: number; readonly flags?: number }
  /** Written as target CT with `isAlias` when it was written as target NOTRACK. */
  | { readonly kind: 'NOTRACK'; readonly isAlias?: boolean }
  /** An unspecified address leaves the address as it is, port 0 the port. */
  | ({ readonly kind: 'DNAT'; readonly address: IpAddress; readonly port: number } & Partial<NatRangeEnd>)
  | ({ readonly kind: 'SNAT'; readonly address: IpAddress; readonly portMin: number } & Partial<NatRangeEnd>)
  | ({ readonly kind: 'MASQUERADE'; readonly portMin: number } & Partial<Omit<NatRangeEnd, 'addressMax'>>)
  | ({ readonly kind: 'REDIRECT'; readonly port: number } & Partial<Omit<NatRangeEnd, 'addressMax'>>);

/** Which bits of a connection's and a packet's mark CONNMARK moves; all by default. */
interface ConnmarkMasks {
  readonly ctMask: number;
  readonly nfMask: number;
}

/** The other end of a range of addresses and ports, and how one of it is chosen: `NF_NAT_RANGE_*`. */
interface NatRangeEnd {
  readonly addressMax: IpAddress;
  readonly portMax: number;
  readonly how: number;
}

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
  if (header.isForFragments === true && packet.transportAt < 0 === (header.isFragmentInverted === true)) return false;
  if (inInterface !== undefined && isNamed(context.inNic, inInterface) === (header.isInInverted === true)) return false;
  return outInterface === undefined || isNamed(context.outNic, outInterface) !== (header.isOutInverted === true);
}

function isIn(prefix: IpPrefix | AddressMask, address: IpAddress): boolean {
  if ('mask' in prefix) return isMasked(prefix, address);
  return prefix.address.isIpv4 === address.isIpv4 && address.matches(prefix.address, prefixBitsOf(prefix));
}

function isNamed(nic: Nic | null, pattern: string): boolean {
  if (nic === null) return false;
  return pattern.endsWith('+') ? nic.name.startsWith(pattern.slice(0, -1)) : nic.name === pattern;
}

function isMasked({ address: wanted, mask }: AddressMask, address: IpAddress): boolean {
  const high = ((address.w0 ^ wanted.w0) & mask.w0) | ((address.w1 ^ wanted.w1) & mask.w1);
  // An IPv4 mask has no bits in front of the address.
  const third = address.isIpv4 ? 0 : (address.w2 ^ wanted.w2) & mask.w2;
  const isSameFamily = address.isIpv4 === wanted.isIpv4;
  return isSameFamily && (high | third | ((address.w3 ^ wanted.w3) & mask.w3)) === 0;
}
