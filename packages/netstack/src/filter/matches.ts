import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { TokenBucket } from '../icmp/rate-limit.js';
import type { Stack } from '../stack.js';
import { loadU16 } from '../wire/byte-order.js';
import type { IpAddress } from '../wire/ip-address.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';
import type { FilterContext, Match } from './rule.js';

/** A range of ports, both ends included. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
  readonly isInverted?: boolean;
}

/** What {@link PortMatch} may be told besides ports and control bits. */
interface PortMatchOptions {
  /** IPPROTO_TCP or IPPROTO_UDP: match `tcp` or `udp`; either by default. */
  readonly protocol?: number;
  readonly areFlagsInverted?: boolean;
  /** A TCP option that must be there, 0 for none. */
  readonly option?: number;
  readonly isOptionInverted?: boolean;
}

const TCP_HEADER_BYTES = 20;

/** Match `tcp` and `udp`: ports, and the control bits and options of TCP. */
export class PortMatch implements Match {
  readonly source: PortRange | null;
  readonly destination: PortRange | null;
  readonly flagsMask: number;
  readonly flags: number;
  readonly protocol: number;
  readonly areFlagsInverted: boolean;
  readonly option: number;
  readonly isOptionInverted: boolean;

  /** `flags` must be those set of `flagsMask`; a mask of 0 asks for nothing. */
  constructor(
    source: PortRange | null,
    destination: PortRange | null,
    flagsMask = 0,
    flags = 0,
    options: PortMatchOptions = {},
  ) {
    this.source = source;
    this.destination = destination;
    this.flagsMask = flagsMask;
    this.flags = flags;
    this.protocol = options.protocol ?? (flagsMask === 0 ? 0 : IPPROTO_TCP);
    this.areFlagsInverted = options.areFlagsInverted ?? false;
    this.option = options.option ?? 0;
    this.isOptionInverted = options.isOptionInverted ?? false;
  }

  matches({ packet }: FilterContext): boolean {
    const { bytes, transportAt } = packet;
    if (!hasPorts(packet) || (this.protocol !== 0 && this.protocol !== packet.protocol)) return false;
    if (this.source !== null && !isInRange(this.source, loadU16(bytes, transportAt))) return false;
    if (this.destination !== null && !isInRange(this.destination, loadU16(bytes, transportAt + 2))) return false;
    if (this.flagsMask !== 0) {
      if (((bytes[transportAt + 13]! & this.flagsMask) === this.flags) === this.areFlagsInverted) return false;
    }
    return this.option === 0 || hasTcpOption(packet, this.option) !== this.isOptionInverted;
  }
}

function hasTcpOption({ bytes, transportAt, end }: PacketBuffer, kind: number): boolean {
  const optionsEnd = Math.min(end, transportAt + (bytes[transportAt + 12]! >>> 4) * 4);
  for (let at = transportAt + TCP_HEADER_BYTES; at < optionsEnd;) {
    if (bytes[at] === kind) return true;
    // No-operations have no length; a length of 0 would go on for ever.
    at += bytes[at]! < 2 || at + 1 >= optionsEnd ? 1 : Math.max(bytes[at + 1]!, 1);
  }
  return false;
}

/** Match `multiport`. */
export class MultiportMatch implements Match {
  readonly where: 'source' | 'destination' | 'either';
  readonly ranges: readonly PortRange[];
  readonly isInverted: boolean;

  constructor(where: 'source' | 'destination' | 'either', ranges: readonly PortRange[], isInverted = false) {
    this.where = where;
    this.ranges = ranges;
    this.isInverted = isInverted;
  }

  matches({ packet }: FilterContext): boolean {
    if (!hasPorts(packet)) return false;
    const source = loadU16(packet.bytes, packet.transportAt);
    const destination = loadU16(packet.bytes, packet.transportAt + 2);
    let isListed = false;
    for (const range of this.ranges) {
      if (this.where !== 'destination' && isInRange(range, source)) isListed = true;
      if (this.where !== 'source' && isInRange(range, destination)) isListed = true;
    }
    return isListed !== this.isInverted;
  }
}

/** Match `icmp` and `icmp6`: a type and codes. */
export class IcmpMatch implements Match {
  readonly type: number;
  readonly codeMin: number;
  readonly codeMax: number;
  readonly isInverted: boolean;

  /** Type 255 is any. */
  constructor(type: number, codeMin = 0, codeMax = 255, isInverted = false) {
    this.type = type;
    this.codeMin = codeMin;
    this.codeMax = codeMax;
    this.isInverted = isInverted;
  }

  matches({ packet }: FilterContext): boolean {
    const { bytes, transportAt, protocol } = packet;
    if (protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6) return false;
    if (transportAt < 0 || packet.end - transportAt < 2) return false;
    const code = bytes[transportAt + 1]!;
    const isSo =
      this.type === 255 || (bytes[transportAt] === this.type && code >= this.codeMin && code <= this.codeMax);
    return isSo !== this.isInverted;
  }
}

/** Match `conntrack` and `state`: any of the states in a mask of `CtState`. */
export class StateMatch implements Match {
  readonly states: number;

  constructor(states: number) {
    this.states = states;
  }

  matches(context: FilterContext): boolean {
    return (context.ctState & this.states) !== 0;
  }
}

/** A mark that agrees with a value in the bits of a mask. */
abstract class MarkCondition implements Match {
  readonly value: number;
  readonly mask: number;
  readonly isInverted: boolean;

  constructor(value: number, mask: number, isInverted = false) {
    this.value = value;
    this.mask = mask;
    this.isInverted = isInverted;
  }

  abstract matches(context: FilterContext): boolean;

  protected fits(mark: number): boolean {
    return ((mark & this.mask) === this.value) !== this.isInverted;
  }
}

/** Match `mark`. */
export class MarkMatch extends MarkCondition {
  matches({ packet }: FilterContext): boolean {
    return this.fits(packet.mark);
  }
}

/** Match `connmark`: the mark of the packet's connection. */
export class ConnectionMarkMatch extends MarkCondition {
  matches({ flow }: FilterContext): boolean {
    return flow !== null && this.fits(flow.mark);
  }
}

/** Match `owner`: the user of the socket that a packet comes from. */
export class OwnerMatch implements Match {
  readonly uids: PortRange | null;
  readonly gids: PortRange | null;
  /** Whether there must be a socket, or must be none; null for either. */
  readonly needsSocket: boolean | null;

  constructor(uids: PortRange | null, gids: PortRange | null, needsSocket: boolean | null = null) {
    this.uids = uids;
    this.gids = gids;
    this.needsSocket = needsSocket;
  }

  matches({ packet }: FilterContext): boolean {
    const hasSocket = packet.ownerUid >= 0;
    // As Linux has it, what has no socket fits only where every part is inverted.
    if (!hasSocket) {
      const isUnwanted = (range: PortRange | null): boolean => range === null || range.isInverted === true;
      return this.needsSocket !== true && isUnwanted(this.uids) && isUnwanted(this.gids);
    }
    if (this.needsSocket === false) return false;
    if (this.uids !== null && !isInRange(this.uids, packet.ownerUid)) return false;
    return this.gids === null || isInRange(this.gids, packet.ownerGid);
  }
}

/** Match `comment`: says something to people. */
export class CommentMatch implements Match {
  /** Bytes as a string. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  matches(): boolean {
    return true;
  }
}

/** Types of addresses, bits of match `addrtype`: linux/netfilter/xt_addrtype.h. */
export const XT_ADDRTYPE_UNSPEC = 1 << 0;
export const XT_ADDRTYPE_UNICAST = 1 << 1;
export const XT_ADDRTYPE_LOCAL = 1 << 2;
export const XT_ADDRTYPE_BROADCAST = 1 << 3;
export const XT_ADDRTYPE_MULTICAST = 1 << 5;

/** Match `addrtype`: what kind of addresses a packet has. */
export class AddressTypeMatch implements Match {
  /** Bits of the types that fit; 0 for all. */
  readonly sources: number;
  readonly destinations: number;
  readonly isSourceInverted: boolean;
  readonly isDestinationInverted: boolean;

  constructor(sources: number, destinations: number, isSourceInverted = false, isDestinationInverted = false) {
    this.sources = sources;
    this.destinations = destinations;
    this.isSourceInverted = isSourceInverted;
    this.isDestinationInverted = isDestinationInverted;
  }

  matches({ packet, stack }: FilterContext): boolean {
    const { sources, destinations } = this;
    if (sources !== 0 && ((typeOf(packet.src, stack) & sources) !== 0) === this.isSourceInverted) return false;
    return destinations === 0 || ((typeOf(packet.dst, stack) & destinations) !== 0) !== this.isDestinationInverted;
  }
}

function typeOf(address: IpAddress, stack: Stack): number {
  if (address.isUnspecified) return XT_ADDRTYPE_UNSPEC;
  if (address.isMulticast) return XT_ADDRTYPE_MULTICAST;
  if (stack.isBroadcast(address)) return XT_ADDRTYPE_BROADCAST;
  return stack.isLocal(address) ? XT_ADDRTYPE_LOCAL : XT_ADDRTYPE_UNICAST;
}

/** Match `limit`: a token bucket that all packets share. */
export class LimitMatch implements Match {
  readonly perSec: number;
  readonly burst: number;
  #bucket: TokenBucket | null = null;

  constructor(perSec: number, burst: number) {
    this.perSec = perSec;
    this.burst = burst;
  }

  matches(context: FilterContext): boolean {
    this.#bucket ??= new TokenBucket(this.perSec, this.burst, context.nowMs);
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
