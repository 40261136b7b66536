import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Nic } from '../net/nic.js';
import {
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
  type PacketFilter,
} from '../net/packet-filter.js';
import { packetChecksumIsRight } from '../net/transport-checksum.js';
import type { Stack } from '../stack.js';
import { IPV4_LOOPBACK, IPV6_LOOPBACK, IpAddress } from '../wire/ip-address.js';
import { Conntrack, CtState } from './conntrack.js';
import type { Flow } from './flow.js';
import type { FlowPolicy } from './flow-policy.js';
import { FlowVerdict } from './flow-policy.js';
import { translateError } from './error-rewrite.js';
import { rewriteDestination, rewriteSource } from './packet-rewrite.js';
import { Rejecter } from './rejecter.js';
import { FilterContext, type Rule, type Target } from './rule.js';
import { Table, type TargetRunner, Verdict } from './table.js';

/** The tables of one family, iptables(8). */
export class TableSet {
  readonly raw = new Table('raw', [NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT]);
  readonly mangle = new Table('mangle', [0, 1, 2, 3, 4]);
  readonly nat = new Table('nat', [NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING]);
  readonly filter = new Table('filter', [NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT]);
}

/** Takes what the LOG target says. */
export type LogSink = (prefix: string, context: Readonly<FilterContext>) => void;

/** iptables, connection tracking and address translation of one stack. Set it as {@link Stack.filter}. */
export class Netfilter implements PacketFilter, TargetRunner {
  readonly conntrack: Conntrack;
  readonly ipv4 = new TableSet();
  readonly ipv6 = new TableSet();
  /** Decides about each new flow before the tables do; null if nobody does. */
  policy: FlowPolicy | null = null;
  onLog: LogSink | null = null;
  readonly #stack: Stack;
  readonly #context: FilterContext;
  readonly #rejecter: Rejecter;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#context = new FilterContext(stack);
    this.conntrack = new Conntrack(stack);
    this.#rejecter = new Rejecter(stack);
  }

  accepts(hook: number, packet: PacketBuffer, inNic: Nic | null, outNic: Nic | null): boolean {
    const context = this.#context;
    context.packet = packet;
    context.hook = hook;
    context.inNic = inNic;
    context.outNic = outNic;
    context.nowMs = this.#stack.nowMs;
    const verdict = this.#pass(context, packet.src.isIpv4 ? this.ipv4 : this.ipv6);
    if (verdict === Verdict.ACCEPT) return true;
    if (verdict === Verdict.DROP) packet.release();
    return false;
  }

  /** Carries out a target: part of {@link TargetRunner}. */
  run(rule: Rule, context: FilterContext): Verdict {
    const target = rule.target!;
    const { packet, flow } = context;
    switch (target.kind) {
      case 'ACCEPT':
        return Verdict.ACCEPT;
      case 'DROP':
        return Verdict.DROP;
      case 'REJECT':
        this.#rejecter.reject(packet, target.with);
        return Verdict.DROP;
      case 'MARK':
        packet.mark = (packet.mark & ~target.mask) ^ target.value;
        return Verdict.RETURN;
      case 'CONNMARK':
        if (flow !== null) moveMark(target, flow, packet);
        return Verdict.RETURN;
      case 'LOG':
        this.onLog?.(target.prefix, context);
        return Verdict.RETURN;
      case 'NOTRACK':
        packet.ctState = CtState.UNTRACKED;
        return Verdict.RETURN;
      case 'RETURN':
      case 'JUMP':
        return Verdict.RETURN;
      default:
        return this.#translate(target, context);
    }
  }

  /** The tables and steps of a hook, in the order of netfilter's priorities. */
  #pass(context: FilterContext, tables: TableSet): Verdict {
    const { hook } = context;
    const isEntry = hook === NF_INET_PRE_ROUTING || hook === NF_INET_LOCAL_OUT;
    let verdict: Verdict = isEntry ? tables.raw.walk(context, this) : Verdict.ACCEPT;
    if (verdict !== Verdict.ACCEPT) return verdict;
    if (isEntry) this.#track(context);
    this.#load(context);
    verdict = tables.mangle.walk(context, this);
    if (verdict !== Verdict.ACCEPT) return verdict;
    if (isEntry) {
      verdict = this.#decide(context);
      if (verdict === Verdict.ACCEPT) verdict = this.#settle(context, tables, true);
      if (verdict !== Verdict.ACCEPT) return verdict;
    }
    verdict = tables.filter.walk(context, this);
    if (verdict !== Verdict.ACCEPT || isEntry || hook === NF_INET_FORWARD) return verdict;
    verdict = this.#settle(context, tables, false);
    return verdict === Verdict.ACCEPT ? this.#confirm(context) : verdict;
  }

  /** Finds the flow. A packet that came round by the loopback interface has it already. */
  #track({ packet, hook }: FilterContext): void {
    if (packet.flow !== null || packet.ctState === CtState.UNTRACKED) return;
    const { conntrack } = this;
    if (hook === NF_INET_PRE_ROUTING && !packetChecksumIsRight(packet)) {
      packet.ctState = CtState.INVALID;
      return;
    }
    conntrack.track(packet);
    packet.flow = conntrack.flow;
    packet.isReply = conntrack.isReply;
    packet.ctState = conntrack.state;
  }

  #load(context: FilterContext): void {
    const { packet } = context;
    context.flow = packet.flow;
    context.isReply = packet.isReply;
    context.ctState = packet.ctState as CtState;
  }

  /** Asks the policy about a flow that it has not seen, and heeds what it said of those it has. */
  #decide(context: FilterContext): Verdict {
    const { flow, packet } = context;
    const { policy } = this;
    if (policy === null || flow === null || context.ctState === CtState.RELATED) return Verdict.ACCEPT;
    if (flow.verdict === FlowVerdict.UNDECIDED) policy.decide(flow, context, this.conntrack);
    const isLimited = flow.limiter !== null && !flow.limiter.take(packet.end - packet.networkAt, context.nowMs);
    if (isLimited) return Verdict.DROP;
    if (flow.verdict !== FlowVerdict.DENY) return Verdict.ACCEPT;
    this.#rejecter.reject(packet, 'admin');
    return Verdict.DROP;
  }

  /** Translates destinations at the entry, sources at the exit; the nat table is asked for a flow's first packet. */
  #settle(context: FilterContext, tables: TableSet, isEntry: boolean): Verdict {
    const { flow, packet, isReply } = context;
    if (flow === null) return Verdict.ACCEPT;
    if (context.ctState === CtState.RELATED) {
      if (isEntry && flow.isTranslated) translateError(packet, flow, isReply);
      return Verdict.ACCEPT;
    }
    const isSettled = isEntry ? flow.isDestinationSettled : flow.isSourceSettled;
    if (!flow.isConfirmed && !isReply && !isSettled) {
      const verdict = tables.nat.walk(context, this);
      if (verdict !== Verdict.ACCEPT) return verdict;
    }
    if (isEntry) applyDestination(packet, isReply);
    else applySource(packet, isReply);
    return Verdict.ACCEPT;
  }

  #confirm({ flow, isReply }: FilterContext): Verdict {
    if (flow === null || flow.isConfirmed || isReply) return Verdict.ACCEPT;
    return this.conntrack.confirm(flow) ? Verdict.ACCEPT : Verdict.DROP;
  }

  #translate(target: Target, context: FilterContext): Verdict {
    const { flow, hook, packet } = context;
    if (flow === null) return Verdict.DROP;
    switch (target.kind) {
      case 'DNAT': {
        const { address, port, portMax } = target;
        const to = address.isUnspecified ? flow.original.tuple.dst : this.#choose(address, target.addressMax, flow);
        this.conntrack.translateDestination(flow, to, this.#choosePort(port, portMax));
        return Verdict.ACCEPT;
      }
      case 'REDIRECT': {
        const address = this.#redirectAddress(context);
        if (address === null) return Verdict.DROP;
        this.conntrack.translateDestination(flow, address, this.#choosePort(target.port, target.portMax));
        return Verdict.ACCEPT;
      }
      case 'SNAT': {
        const { address, addressMax, portMin, portMax } = target;
        const from = address.isUnspecified ? flow.original.tuple.src : this.#choose(address, addressMax, flow);
        return this.#newSource(context, from, portMin, portMax ?? portMin);
      }
      case 'MASQUERADE': {
        const address = hook === NF_INET_POST_ROUTING ? this.#stack.sourceFor(context.outNic!, packet.dst) : null;
        if (address === null) return Verdict.DROP;
        return this.#newSource(context, address, target.portMin, target.portMax ?? target.portMin);
      }
      default:
        return Verdict.RETURN;
    }
  }

  #newSource({ flow }: FilterContext, address: IpAddress, portMin: number, portMax: number): Verdict {
    return this.conntrack.translateSource(flow!, address, portMin, portMax) ? Verdict.ACCEPT : Verdict.DROP;
  }

  /** One address of a range, for a client always the same: as NF_NAT_RANGE_PERSISTENT. Ranges differ in the low word. */
  #choose(first: IpAddress, last: IpAddress | undefined, flow: Flow): IpAddress {
    const count = last === undefined ? 1 : (last.w3 >>> 0) - (first.w3 >>> 0) + 1;
    if (count <= 1) return first;
    const offset = (flow.original.tuple.src.hash(this.#stack.hashSeed) >>> 0) % count;
    return new IpAddress(first.w0, first.w1, first.w2, first.w3 + offset);
  }

  #choosePort(first: number, last = first): number {
    return last > first ? first + this.#stack.random.below(last - first + 1) : first;
  }

  /** Where REDIRECT sends: to the loopback address what is ours, to the interface's what came in. */
  #redirectAddress({ hook, packet, inNic }: FilterContext): IpAddress | null {
    if (hook === NF_INET_LOCAL_OUT) return packet.dst.isIpv4 ? IPV4_LOOPBACK : IPV6_LOOPBACK;
    return inNic === null ? null : this.#stack.sourceFor(inNic, packet.src);
  }
}

function moveMark(target: Extract<Target, { kind: 'CONNMARK' }>, flow: Flow, packet: PacketBuffer): void {
  const { operation, value, ctMask = -1, nfMask = -1 } = target;
  if (operation === 'set') flow.mark = (flow.mark & ~ctMask) ^ value;
  else if (operation === 'save') flow.mark = (flow.mark & ~ctMask) ^ (packet.mark & nfMask);
  else packet.mark = (packet.mark & ~nfMask) ^ (flow.mark & ctMask);
}

function applyDestination(packet: PacketBuffer, isReply: boolean): void {
  const flow = packet.flow!;
  if (isReply) {
    const { src, srcPort } = flow.original.tuple;
    if (flow.hasNewSource) rewriteDestination(packet, src, srcPort);
  } else if (flow.hasNewDestination) {
    const { src, srcPort } = flow.reply.tuple;
    rewriteDestination(packet, src, srcPort);
  }
}

function applySource(packet: PacketBuffer, isReply: boolean): void {
  const flow = packet.flow!;
  if (isReply) {
    const { dst, dstPort } = flow.original.tuple;
    if (flow.hasNewDestination) rewriteSource(packet, dst, dstPort);
  } else if (flow.hasNewSource) {
    const { dst, dstPort } = flow.reply.tuple;
    rewriteSource(packet, dst, dstPort);
  }
}
