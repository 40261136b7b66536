import type { FilterContext, Rule } from './rule.js';

/** Rules that one table may hold, and chains; a program in the sandbox may add them. */
export const RULE_COUNT_MAX = 16_384;
export const CHAIN_COUNT_MAX = 1_024;
/** Chains that one packet may be in; the kernel refuses loops when a table is loaded. */
const DEPTH_MAX = 64;

/** How a walk through a chain ended. */
export const Verdict = { ACCEPT: 0, DROP: 1, RETURN: 2, STOLEN: 3 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Carries out a target that needs more than the packet; RETURN's meaning: go on with the next rule. */
export interface TargetRunner {
  run(rule: Rule, context: FilterContext): Verdict;
}

/** Rules in order. A built-in chain has a policy for packets that none of them decides. */
export class Chain {
  readonly name: string;
  /** Policy of a built-in chain, or null for a chain of the user. */
  policy: 'ACCEPT' | 'DROP' | null;
  readonly rules: Rule[] = [];
  packets = 0;
  bytes = 0;

  constructor(name: string, policy: 'ACCEPT' | 'DROP' | null) {
    this.name = name;
    this.policy = policy;
  }
}

/** The names of the built-in chains by hook, `NF_INET_*`. */
export const HOOK_CHAINS = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'] as const;

/** A table of iptables for one family. */
export class Table {
  readonly name: string;
  readonly #byHook: (Chain | null)[];
  readonly #chains = new Map<string, Chain>();
  #jumps = 0;

  /** `hooks`: those that the table has a chain for. */
  constructor(name: string, hooks: readonly number[]) {
    this.name = name;
    this.#byHook = HOOK_CHAINS.map((chainName, hook) => {
      if (!hooks.includes(hook)) return null;
      const chain = new Chain(chainName, 'ACCEPT');
      this.#chains.set(chainName, chain);
      return chain;
    });
  }

  /** The chain of that name, or undefined. */
  chain(name: string): Chain | undefined {
    return this.#chains.get(name);
  }

  get chains(): Chain[] {
    return [...this.#chains.values()];
  }

  /** Adds a chain of the user's. False if the name is taken or there are too many. */
  addChain(name: string): boolean {
    if (this.#chains.has(name) || this.#chains.size >= CHAIN_COUNT_MAX) return false;
    this.#chains.set(name, new Chain(name, null));
    return true;
  }

  /** Removes an empty chain of the user's that no rule jumps to; whether that was possible. */
  removeChain(name: string): boolean {
    const chain = this.#chains.get(name);
    if (chain === undefined || chain.policy !== null || chain.rules.length > 0) return false;
    const isUsed = this.chains.some((other) =>
      other.rules.some(({ target }) => target?.kind === 'JUMP' && target.chain === name),
    );
    return !isUsed && this.#chains.delete(name);
  }

  /** Puts a rule at `index` of a chain, at its end by default. False if chain or jump target are absent, or a loop or
   * too many rules would result. */
  insertRule(chainName: string, rule: Rule, index = Infinity): boolean {
    const chain = this.#chains.get(chainName);
    const ruleCount = this.chains.reduce((sum, other) => sum + other.rules.length, 0);
    if (chain === undefined || ruleCount >= RULE_COUNT_MAX) return false;
    if (rule.target?.kind === 'JUMP' && !this.#mayJump(chain, rule.target.chain)) return false;
    chain.rules.splice(Math.min(index, chain.rules.length), 0, rule);
    return true;
  }

  /**
   * Replaces all chains. False, and nothing is changed, if built-in chains are missing or foreign, names or jumps are
   * wrong, there would be a loop, or there are too many.
   */
  load(chains: readonly Chain[]): boolean {
    const byName = new Map(chains.map((chain) => [chain.name, chain]));
    const ruleCount = chains.reduce((sum, { rules }) => sum + rules.length, 0);
    if (byName.size !== chains.length || chains.length > CHAIN_COUNT_MAX || ruleCount > RULE_COUNT_MAX) return false;
    for (const chain of chains) {
      const isBuiltIn = this.#byHook.some((known) => known?.name === chain.name);
      if ((chain.policy !== null) !== isBuiltIn) return false;
    }
    if (this.#byHook.some((known) => known !== null && !byName.has(known.name))) return false;
    if (!areTrees(byName)) return false;
    this.#chains.clear();
    for (const chain of chains) this.#chains.set(chain.name, chain);
    for (const [hook, known] of this.#byHook.entries()) {
      if (known !== null) this.#byHook[hook] = this.#chains.get(known.name)!;
    }
    return true;
  }

  /** Takes a packet through the chain of `context.hook`. */
  walk(context: FilterContext, runner: TargetRunner): Verdict {
    const chain = this.#byHook[context.hook];
    if (chain === null || chain === undefined) return Verdict.ACCEPT;
    this.#jumps = 0;
    const verdict = this.#walkChain(chain, context, runner);
    if (verdict !== Verdict.RETURN) return verdict;
    chain.packets++;
    chain.bytes += context.packet.len;
    return chain.policy === 'DROP' ? Verdict.DROP : Verdict.ACCEPT;
  }

  #walkChain(chain: Chain, context: FilterContext, runner: TargetRunner): Verdict {
    for (const rule of chain.rules) {
      if (!rule.fits(context)) continue;
      rule.packets++;
      rule.bytes += context.packet.len;
      const { target } = rule;
      if (target === null) continue;
      if (target.kind === 'RETURN') return Verdict.RETURN;
      if (target.kind !== 'JUMP') {
        const verdict = runner.run(rule, context);
        if (verdict !== Verdict.RETURN) return verdict;
        continue;
      }
      if (++this.#jumps > DEPTH_MAX * RULE_COUNT_MAX) return Verdict.DROP;
      const verdict = this.#walkChain(this.#chains.get(target.chain)!, context, runner);
      if (verdict !== Verdict.RETURN || target.isGoto === true) return verdict;
    }
    return Verdict.RETURN;
  }

  /** Whether a jump from `from` to the user's chain `to` leaves the table without loops, and not too deep. */
  #mayJump(from: Chain, to: string): boolean {
    const target = this.#chains.get(to);
    if (target === undefined || target.policy !== null) return false;
    return !this.#reaches(target, from, 0);
  }

  #reaches(chain: Chain, goal: Chain, depth: number): boolean {
    if (chain === goal || depth > DEPTH_MAX) return true;
    return chain.rules.some(
      ({ target }) => target?.kind === 'JUMP' && this.#reaches(this.#chains.get(target.chain)!, goal, depth + 1),
    );
  }
}

/** Whether all jumps go to chains of the user's, without loops and not too deep. Each chain is looked at once. */
function areTrees(chains: ReadonlyMap<string, Chain>): boolean {
  const depths = new Map<Chain, number>();
  const depthOf = (chain: Chain, above: number): number => {
    const known = depths.get(chain);
    if (known !== undefined) return known;
    if (above > DEPTH_MAX) return Infinity;
    // A chain that is come back to while it is looked at is in a loop.
    depths.set(chain, Infinity);
    let depth = 0;
    for (const { target } of chain.rules) {
      if (target?.kind !== 'JUMP') continue;
      const next = chains.get(target.chain);
      if (next === undefined || next.policy !== null) return Infinity;
      depth = Math.max(depth, depthOf(next, above + 1) + 1);
    }
    depths.set(chain, depth);
    return depth;
  };
  return [...chains.values()].every((chain) => depthOf(chain, 0) <= DEPTH_MAX);
}
