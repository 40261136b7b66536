import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../wire/protocol.js';
import type { IpAddress } from '../wire/ip-address.js';
import { CtState } from './conntrack.js';
import type { Flow } from './flow.js';
import type { FilterContext, Match } from './rule.js';
import type { Tuple } from './tuple.js';

/** What is asked for, bits of `match_flags` and `invert_flags`: linux/netfilter/xt_conntrack.h. */
export const XT_CONNTRACK_STATE = 1 << 0;
const XT_CONNTRACK_PROTO = 1 << 1;
const XT_CONNTRACK_ORIGSRC = 1 << 2;
const XT_CONNTRACK_STATUS = 1 << 6;
const XT_CONNTRACK_EXPIRES = 1 << 7;
const XT_CONNTRACK_ORIGSRC_PORT = 1 << 8;
const XT_CONNTRACK_DIRECTION = 1 << 12;

/** Bits of a state mask. */
const XT_CONNTRACK_STATE_INVALID = 1 << 0;
const XT_CONNTRACK_STATE_ESTABLISHED = 1 << 1;
const XT_CONNTRACK_STATE_RELATED = 1 << 2;
const XT_CONNTRACK_STATE_NEW = 1 << 3;
const XT_CONNTRACK_STATE_SNAT = 1 << 6;
const XT_CONNTRACK_STATE_DNAT = 1 << 7;
const XT_CONNTRACK_STATE_UNTRACKED = 1 << 8;

/** Bits of a connection's status, linux/netfilter/nf_conntrack_common.h. */
const IPS_SEEN_REPLY = 1 << 1;
const IPS_ASSURED = 1 << 2;
const IPS_CONFIRMED = 1 << 3;
const IPS_SRC_NAT = 1 << 4;
const IPS_DST_NAT = 1 << 5;

/** Address and ports of one end of a connection. */
export interface EndpointCondition {
  readonly address: IpAddress;
  readonly mask: IpAddress;
  readonly portMin: number;
  readonly portMax: number;
}

/** What {@link ConntrackMatch} compares, where `flags` say so. */
export interface ConntrackCondition {
  readonly flags: number;
  readonly inverted: number;
  readonly states: number;
  readonly statuses: number;
  readonly protocol: number;
  readonly expiresMinSec: number;
  readonly expiresMaxSec: number;
  /** Original source and destination, source and destination of the answers. */
  readonly ends: readonly EndpointCondition[];
}

/** Match `conntrack`: all that it knows of the packet's connection. iptables-extensions(8). */
export class ConntrackMatch implements Match {
  readonly condition: ConntrackCondition;

  constructor(condition: ConntrackCondition) {
    this.condition = condition;
  }

  matches(context: FilterContext): boolean {
    const { flags, inverted, states, protocol, statuses } = this.condition;
    const { flow } = context;
    const agrees = (bit: number, isSo: boolean): boolean => (flags & bit) === 0 || isSo !== ((inverted & bit) !== 0);
    if (!agrees(XT_CONNTRACK_STATE, (stateBits(context) & states) !== 0)) return false;
    if (flow === null) return (flags & ~(XT_CONNTRACK_STATE | ALIAS)) === 0;
    // Inverted is the direction of answers.
    if (!agrees(XT_CONNTRACK_DIRECTION, !context.isReply)) return false;
    if (!agrees(XT_CONNTRACK_PROTO, flow.original.tuple.protocol === protocol)) return false;
    if (!agrees(XT_CONNTRACK_STATUS, (statusBits(flow) & statuses) !== 0)) return false;
    return this.#expiresFits(flow, context.nowMs) && this.#endsFit(flow);
  }

  #expiresFits(flow: Flow, nowMs: number): boolean {
    const { flags, inverted, expiresMinSec, expiresMaxSec } = this.condition;
    if (!(flags & XT_CONNTRACK_EXPIRES)) return true;
    const leftSec = Math.max(0, Math.floor((flow.expiresMs - nowMs) / 1000));
    return (leftSec >= expiresMinSec && leftSec <= expiresMaxSec) !== ((inverted & XT_CONNTRACK_EXPIRES) !== 0);
  }

  #endsFit(flow: Flow): boolean {
    const { flags, inverted, ends } = this.condition;
    for (const [i, end] of ends.entries()) {
      const { tuple } = i < 2 ? flow.original : flow.reply;
      const isSource = i % 2 === 0;
      const bit = XT_CONNTRACK_ORIGSRC << i;
      const address = isSource ? tuple.src : tuple.dst;
      if (flags & bit && isMasked(address, end) === ((inverted & bit) !== 0)) return false;
      const portBit = XT_CONNTRACK_ORIGSRC_PORT << i;
      const port = portOf(tuple, isSource);
      const isInRange = port >= end.portMin && port <= end.portMax;
      if (flags & portBit && isInRange === ((inverted & portBit) !== 0)) return false;
    }
    return true;
  }
}

/** The rule was written with `-m state`: for whoever lists it. */
const ALIAS = 1 << 13;

function isMasked(address: IpAddress, { address: wanted, mask }: EndpointCondition): boolean {
  if (address.isIpv4) return ((address.w3 ^ wanted.w3) & mask.w3) === 0;
  const { w0, w1, w2, w3 } = wanted;
  const low = ((address.w2 ^ w2) & mask.w2) | ((address.w3 ^ w3) & mask.w3);
  return (((address.w0 ^ w0) & mask.w0) | ((address.w1 ^ w1) & mask.w1) | low) === 0;
}

/** An echo has no ports, though its tuple has its identifier there. */
function portOf(tuple: Tuple, isSource: boolean): number {
  if (tuple.protocol === IPPROTO_ICMP || tuple.protocol === IPPROTO_ICMPV6) return 0;
  return isSource ? tuple.srcPort : tuple.dstPort;
}

function stateBits({ ctState, flow }: FilterContext): number {
  if (ctState === CtState.UNTRACKED) return XT_CONNTRACK_STATE_UNTRACKED;
  if (flow === null) return XT_CONNTRACK_STATE_INVALID;
  const nat =
    (flow.hasNewSource ? XT_CONNTRACK_STATE_SNAT : 0) | (flow.hasNewDestination ? XT_CONNTRACK_STATE_DNAT : 0);
  switch (ctState) {
    case CtState.NEW:
      return nat | XT_CONNTRACK_STATE_NEW;
    case CtState.ESTABLISHED:
      return nat | XT_CONNTRACK_STATE_ESTABLISHED;
    case CtState.RELATED:
      return nat | XT_CONNTRACK_STATE_RELATED;
    case CtState.INVALID:
      return XT_CONNTRACK_STATE_INVALID;
  }
}

function statusBits(flow: Flow): number {
  return (
    (flow.hasReply ? IPS_SEEN_REPLY | IPS_ASSURED : 0) |
    (flow.isConfirmed ? IPS_CONFIRMED : 0) |
    (flow.hasNewSource ? IPS_SRC_NAT : 0) |
    (flow.hasNewDestination ? IPS_DST_NAT : 0)
  );
}
