import { type IpAddress, type IpPrefix, prefixBitsOf } from '../wire/ip-address.js';

/** Tables of routes, linux/rtnetlink.h. */
export const RT_TABLE_DEFAULT = 253;
export const RT_TABLE_MAIN = 254;

/** What a rule does with the packets that it fits, linux/fib_rules.h. */
export const FR_ACT_TO_TBL = 1;
export const FR_ACT_BLACKHOLE = 6;
export const FR_ACT_UNREACHABLE = 7;
export const FR_ACT_PROHIBIT = 8;

/** Rules of one stack; a program in the sandbox may add them. */
export const RULE_COUNT_MAX = 1024;

/** The number of `lo`, by which packets of our own come, as rules see it. */
const LOOPBACK_ID = 1;

/** Priorities of the rules that there are from the start: ip-rule(8). */
const PRIORITY_MAIN = 32_766;
const PRIORITY_DEFAULT = 32_767;

/** Which table of routes is asked for which packets: ip-rule(8). */
export interface RoutingRule {
  /** The lowest is asked first. */
  readonly priority: number;
  readonly isIpv6: boolean;
  readonly source?: IpPrefix;
  readonly destination?: IpPrefix;
  /** Interface that the packet came in by. */
  readonly inNicId?: number;
  /** Interface that the socket is bound to. */
  readonly outNicId?: number;
  readonly mark?: number;
  readonly markMask?: number;
  readonly isInverted?: boolean;
  /** `FR_ACT_*`. */
  readonly action: number;
  readonly table: number;
}

/** What rules look at. */
export interface RuleKey {
  readonly dst: IpAddress;
  readonly src: IpAddress | null;
  readonly inNicId: number;
  readonly outNicId: number;
  readonly mark: number;
}

/** The rules of both families, by priority. The local table is asked before all of them. */
export class RoutingRules {
  readonly #rules: RoutingRule[] = [];
  readonly #onChange: () => void;
  #hasOwn = false;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    for (const isIpv6 of [false, true]) {
      this.#rules.push({ priority: PRIORITY_MAIN, isIpv6, action: FR_ACT_TO_TBL, table: RT_TABLE_MAIN });
      // Linux has it for IPv4 only.
      if (!isIpv6)
        this.#rules.push({ priority: PRIORITY_DEFAULT, isIpv6, action: FR_ACT_TO_TBL, table: RT_TABLE_DEFAULT });
    }
  }

  get rules(): readonly RoutingRule[] {
    return this.#rules;
  }

  /** Whether there are others than those from the start. */
  get hasOwn(): boolean {
    return this.#hasOwn;
  }

  /** Adds a rule behind those of its priority. False if there are too many. */
  add(rule: RoutingRule): boolean {
    if (this.#rules.length >= RULE_COUNT_MAX) return false;
    let index = this.#rules.findIndex(({ priority }) => priority > rule.priority);
    if (index < 0) index = this.#rules.length;
    this.#rules.splice(index, 0, rule);
    this.#changed();
    return true;
  }

  /** Removes the first rule that `matches` says; whether there was one. */
  remove(matches: (rule: RoutingRule) => boolean): boolean {
    const index = this.#rules.findIndex(matches);
    if (index < 0) return false;
    this.#rules.splice(index, 1);
    this.#changed();
    return true;
  }

  #changed(): void {
    this.#hasOwn = true;
    this.#onChange();
  }
}

/** Whether a rule is about packets with this key. */
export function ruleFits(rule: RoutingRule, key: RuleKey): boolean {
  if (rule.isIpv6 === key.dst.isIpv4) return false;
  return conditionsFit(rule, key) !== (rule.isInverted === true);
}

function conditionsFit(rule: RoutingRule, key: RuleKey): boolean {
  if (rule.source !== undefined && rule.source.prefixLen > 0) {
    if (key.src === null || !key.src.matches(rule.source.address, prefixBitsOf(rule.source))) return false;
  }
  if (rule.destination !== undefined && !key.dst.matches(rule.destination.address, prefixBitsOf(rule.destination)))
    return false;
  if (rule.inNicId !== undefined && rule.inNicId !== (key.inNicId || LOOPBACK_ID)) return false;
  if (rule.outNicId !== undefined && rule.outNicId !== key.outNicId) return false;
  return rule.mark === undefined || ((key.mark ^ rule.mark) & (rule.markMask ?? -1)) === 0;
}
