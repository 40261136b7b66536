import type { Conntrack } from '../filter/conntrack.js';
import type { Flow } from '../filter/flow.js';
import { type FlowDecision, type FlowPolicy, type FlowRequest, FlowVerdict } from '../filter/flow-policy.js';
import type { FilterContext } from '../filter/rule.js';
import { NF_INET_LOCAL_OUT } from '../net/packet-filter.js';
import type { Stack } from '../stack.js';
import { IpAddress, type IpPrefix, parsePrefix, prefixBitsOf } from '../wire/ip-address.js';
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
}

/**
 * Says which flows may leave: deny by default, by domain or address. Domains work for addresses that a
 * {@link DnsForwarder} with this policy has given out. Lists may change while connections run.
 */
export class EgressPolicy implements FlowPolicy {
  readonly names: NameCache;
  readonly #stack: Stack;
  readonly #onFlow: FlowHook | undefined;
  #allow: readonly Destination[];
  #deny: readonly Destination[];

  /** Throws RangeError if an entry of the lists cannot be understood. */
  constructor(stack: Stack, options: EgressOptions = {}) {
    this.#stack = stack;
    this.names = new NameCache(stack.random.u32());
    this.#onFlow = options.onFlow;
    this.#allow = (options.allow ?? []).map(parseDestination);
    this.#deny = (options.deny ?? []).map(parseDestination);
  }

  /** Replaces the lists and has the flows that are known decided anew: what is no longer allowed ends. */
  setLists(allow: readonly string[], deny: readonly string[], conntrack: Conntrack): void {
    this.#allow = allow.map(parseDestination);
    this.#deny = deny.map(parseDestination);
    for (const flow of conntrack.flows()) flow.verdict = FlowVerdict.UNDECIDED;
  }

  /** Whether a name may be resolved: the hook may allow what the lists do not, so it is asked about flows only. */
  mayResolve(name: string): boolean {
    if (this.#deny.some((entry) => entry.port === 0 && matchesDomain(entry, name))) return false;
    return this.#onFlow !== undefined || this.#allow.some((entry) => matchesDomain(entry, name));
  }

  decide(flow: Flow, context: Readonly<FilterContext>, conntrack: Conntrack): void {
    const { src, srcPort, dst, dstPort, protocol } = flow.original.tuple;
    const isOutgoing = context.hook === NF_INET_LOCAL_OUT;
    flow.verdict = FlowVerdict.ALLOW;
    // What is ours, and what others begin with us, is no egress.
    if (this.#stack.isLocal(dst) || dst.isMulticast || (!isOutgoing && this.#stack.isBroadcast(dst))) return;
    const names = this.names.names(dst, this.#stack.nowMs);
    if (matchesAny(this.#deny, dst, dstPort, names)) flow.verdict = FlowVerdict.DENY;
    else if (!matchesAny(this.#allow, dst, dstPort, names)) {
      const decision = this.#onFlow?.({ protocol, src, srcPort, dst, dstPort, names, isOutgoing });
      this.#apply(flow, decision ?? { action: 'deny' }, conntrack);
    }
  }

  #apply(flow: Flow, decision: FlowDecision, conntrack: Conntrack): void {
    flow.verdict = decision.action === 'deny' ? FlowVerdict.DENY : FlowVerdict.ALLOW;
    // A flow that has begun cannot go elsewhere any more.
    if (decision.action === 'redirect' && !flow.isConfirmed) {
      conntrack.translateDestination(flow, decision.address, decision.port);
    }
  }
}

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
