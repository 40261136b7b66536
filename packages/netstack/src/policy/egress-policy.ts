import type { Conntrack } from '../filter/conntrack.js';
import type { Flow } from '../filter/flow.js';
import { type FlowDecision, type FlowPolicy, type FlowRequest, FlowVerdict } from '../filter/flow-policy.js';
import type { FilterContext } from '../filter/rule.js';
import { TokenBucket } from '../icmp/rate-limit.js';
import { NF_INET_LOCAL_OUT } from '../net/packet-filter.js';
import type { Stack } from '../stack.js';
import {
  IpAddress,
  type IpPrefix,
  IPV4_LOOPBACK,
  IPV6_LOOPBACK,
  parsePrefix,
  prefixBitsOf,
} from '../wire/ip-address.js';
import { IPPROTO_TCP } from '../wire/protocol.js';
import { type Interception, Interceptor } from './interceptor.js';
import { NameCache } from './name-cache.js';

/** A program's hook: called once for each new flow that the lists do not decide. */
export type FlowHook = (request: FlowRequest) => FlowDecision | undefined;

/** Destinations: a domain with or without its subdomains, or a prefix; and a port, 0 for all. */
interface Destination {
  readonly domain: string | null;
  readonly includesSubdomains: boolean;
  readonly prefix: IpPrefix | null;
  readonly port: number;
}

export interface EgressOptions {
  /** What may be reached: `example.com`, `*.example.com` (subdomains), `10.0.0.0/8`, `[fd00::]/8`, each with `:port`. */
  readonly allow?: readonly string[];
  /** What may not be reached, even if it is allowed too. */
  readonly deny?: readonly string[];
  /** Asked where the lists say nothing; without, or when it returns undefined, the flow is denied. */
  readonly onFlow?: FlowHook;
  /**
   * TCP ports whose connections are looked at before anything of them goes out, as 443 and 80: the lists then go by the
   * name that the client asks TLS or HTTP for, in each of its requests. One that names nothing, or so that others might
   * read it differently, reaches what is allowed by address; so do datagrams to these ports (QUIC).
   */
  readonly inspect?: readonly number[];
  /**
   * Believes a name that the client asks for though the address was not resolved from it here. Without, a client cannot
   * reach an address by naming something else that is allowed.
   */
  readonly trustsServerNames?: boolean;
}

/**
 * Says which flows may leave: deny by default, by domain or address. Domains work for addresses that a
 * {@link DnsForwarder} with this policy has given out. Lists may change while connections run.
 */
export class EgressPolicy implements FlowPolicy {
  readonly names: NameCache;
  readonly #stack: Stack;
  readonly #onFlow: FlowHook | undefined;
  readonly #inspect: ReadonlySet<number>;
  readonly #trustsServerNames: boolean;
  #interceptor: Interceptor | null = null;
  #allow: readonly Destination[];
  #deny: readonly Destination[];

  /** Throws RangeError if an entry of the lists cannot be understood. */
  constructor(stack: Stack, options: EgressOptions = {}) {
    this.#stack = stack;
    this.names = new NameCache(stack.random.u32(), (name) => this.#deny.some((entry) => matchesDomain(entry, name)));
    this.#onFlow = options.onFlow;
    this.#inspect = new Set(options.inspect ?? []);
    this.#trustsServerNames = options.trustsServerNames ?? false;
    this.#allow = (options.allow ?? []).map(parseDestination);
    this.#deny = (options.deny ?? []).map(parseDestination);
  }

  /** Replaces the lists and has the flows that are known decided anew: what is no longer allowed ends. */
  setLists(allow: readonly string[], deny: readonly string[], conntrack: Conntrack): void {
    this.#allow = allow.map(parseDestination);
    this.#deny = deny.map(parseDestination);
    for (const flow of conntrack.flows()) {
      flow.verdict = FlowVerdict.UNDECIDED;
      if (flow.names === null || this.#decideNamed(flow, false).action !== 'deny') continue;
      // The resets still go out.
      flow.verdict = FlowVerdict.ALLOW;
      this.#interceptor?.end(flow);
      flow.verdict = FlowVerdict.DENY;
    }
  }

  /** Ends looking at connections. */
  close(): void {
    this.#interceptor?.close();
    this.#interceptor = null;
  }

  /** Whether an answer may go through another name: not one that is denied. */
  mayFollow(name: string): boolean {
    return !this.#deny.some((entry) => entry.port === 0 && matchesDomain(entry, name));
  }

  /** Whether a name may be resolved: the hook may allow what the lists do not, so it is asked about flows only. */
  mayResolve(name: string): boolean {
    if (!this.mayFollow(name)) return false;
    return this.#onFlow !== undefined || this.#allow.some((entry) => matchesDomain(entry, name));
  }

  decide(flow: Flow, context: Readonly<FilterContext>, conntrack: Conntrack): void {
    const { srcPort, dst, dstPort, protocol } = flow.original.tuple;
    const isOutgoing = context.hook === NF_INET_LOCAL_OUT;
    flow.verdict = FlowVerdict.ALLOW;
    // What is ours, and what others begin with us, is no egress.
    if (this.#stack.isLocal(dst) || dst.isMulticast || (!isOutgoing && this.#stack.isBroadcast(dst))) return;
    const isTcp = protocol === IPPROTO_TCP;
    if (isTcp && isOutgoing && this.#interceptor?.isOwn(srcPort, { address: dst, port: dstPort }) === true) return;
    const names = this.names.names(dst, this.#stack.nowMs);
    if (flow.names !== null) this.#apply(flow, this.#decideNamed(flow, isOutgoing), context, conntrack);
    else if (matchesAny(this.#deny, dst, dstPort, names)) flow.verdict = FlowVerdict.DENY;
    else if (isTcp && !flow.isConfirmed && this.#inspect.has(dstPort)) this.#intercept(flow, context, conntrack);
    else if (!matchesAny(this.#allow, dst, dstPort, this.#inspect.has(dstPort) ? [] : names)) {
      this.#apply(flow, this.#ask(flow, names, isOutgoing), context, conntrack);
    }
  }

  #ask(flow: Flow, names: readonly string[], isOutgoing: boolean): FlowDecision {
    const { src, srcPort, dst, dstPort, protocol } = flow.original.tuple;
    const { serverName, httpHost } = flow.names ?? { serverName: null, httpHost: null };
    const request = { protocol, src, srcPort, dst, dstPort, names, serverName, httpHost, isOutgoing };
    return this.#onFlow?.(request) ?? { action: 'deny' };
  }

  /** Decides about a flow by what its client has asked for. */
  #decideNamed(flow: Flow, isOutgoing: boolean): FlowDecision {
    const { dst, dstPort } = flow.original.tuple;
    const resolved = this.names.names(dst, this.#stack.nowMs);
    const asked = flow.names!.serverName ?? flow.names!.httpHost;
    const isBelieved = asked !== null && (this.#trustsServerNames || resolved.includes(asked));
    if (matchesAny(this.#deny, dst, dstPort, asked === null ? resolved : [...resolved, asked]))
      return { action: 'deny' };
    // Who does not say whom it wants may want any name that is served there, those that were not resolved included.
    if (matchesAny(this.#allow, dst, dstPort, isBelieved ? [asked] : [])) return { action: 'allow' };
    return this.#ask(flow, resolved, isOutgoing);
  }

  #apply(flow: Flow, decision: FlowDecision, context: Readonly<FilterContext>, conntrack: Conntrack): void {
    flow.verdict = decision.action === 'deny' ? FlowVerdict.DENY : FlowVerdict.ALLOW;
    if (decision.action === 'limit') this.#limit(flow, decision.bytesPerSec, decision.burstBytes);
    // A flow that has begun cannot go elsewhere any more.
    if (flow.isConfirmed) return;
    if (decision.action === 'redirect') conntrack.translateDestination(flow, decision.address, decision.port);
    if (decision.action === 'inspect' || decision.action === 'take-over') {
      flow.takeOver = decision.action === 'take-over' ? decision.accept : null;
      if (flow.original.tuple.protocol === IPPROTO_TCP) this.#intercept(flow, context, conntrack);
      else flow.verdict = FlowVerdict.DENY;
    }
  }

  #limit(flow: Flow, bytesPerSec: number, burstBytes: number): void {
    // A packet of several segments goes whole.
    flow.limiter = new TokenBucket(bytesPerSec, Math.max(burstBytes, PACKET_BYTES_MAX), this.#stack.nowMs);
  }

  /** Has a new connection come to us, so that we see whom it is for. */
  #intercept(flow: Flow, context: Readonly<FilterContext>, conntrack: Conntrack): void {
    const { dst } = flow.original.tuple;
    const interceptor = (this.#interceptor ??= new Interceptor(this.#stack, conntrack, (sniffed) =>
      this.#named(sniffed),
    ));
    const loopback = dst.isIpv4 ? IPV4_LOOPBACK : IPV6_LOOPBACK;
    const { inNic } = context;
    const address = inNic === null ? loopback : this.#stack.sourceFor(inNic, flow.original.tuple.src);
    if (address === null) flow.verdict = FlowVerdict.DENY;
    else conntrack.translateDestination(flow, address, interceptor.port(dst.isIpv4));
  }

  /** What becomes of an intercepted connection. */
  #named(flow: Flow): Interception {
    const decision = this.#decideNamed(flow, this.#stack.isLocal(flow.original.tuple.src));
    switch (decision.action) {
      case 'limit':
        this.#limit(flow, decision.bytesPerSec, decision.burstBytes);
        return { action: 'allow' };
      case 'inspect':
        // It was; and the program knows no more than before.
        return { action: 'deny' };
      case 'allow':
      case 'deny':
      case 'redirect':
      case 'take-over':
        return decision;
    }
  }
}

/** A limit that is lower would never let a packet of several segments through. */
const PACKET_BYTES_MAX = 65_535;

function matchesAny(list: readonly Destination[], dst: IpAddress, port: number, names: readonly string[]): boolean {
  return list.some((entry) => {
    if (entry.port !== 0 && entry.port !== port) return false;
    if (entry.prefix !== null) {
      const { address } = entry.prefix;
      return address.isIpv4 === dst.isIpv4 && dst.matches(address, prefixBitsOf(entry.prefix));
    }
    return names.some((name) => matchesDomain(entry, name));
  });
}

function matchesDomain(entry: Destination, name: string): boolean {
  if (entry.domain === null) return false;
  return entry.includesSubdomains ? name.endsWith(`.${entry.domain}`) : name === entry.domain;
}

const DESTINATION = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\](?<v6len>\/\d+)?|(?<name>[^:[\]]+))(?::(?<port>\d+))?$/;
const DOMAIN = /^(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/;

function parseDestination(text: string): Destination {
  const groups = DESTINATION.exec(text.trim().toLowerCase().replace(/\.$/, ''))?.groups;
  const port = Number(groups?.['port'] ?? 0);
  if (groups === undefined || port > 65_535) throw new RangeError(`Cannot parse "${text}": not a domain or prefix`);
  const name = groups['v6'] === undefined ? groups['name']! : `${groups['v6']}${groups['v6len'] ?? ''}`;
  if (IpAddress.tryParse(name.split('/')[0]!) !== undefined) {
    return { domain: null, includesSubdomains: false, prefix: parsePrefix(name), port };
  }
  if (!DOMAIN.test(name)) throw new RangeError(`Cannot parse "${text}": not a domain or prefix`);
  const includesSubdomains = name.startsWith('*.');
  return { domain: includesSubdomains ? name.slice(2) : name, includesSubdomains, prefix: null, port };
}
