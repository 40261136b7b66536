import { Timer, type Clock, type TimerQueue } from '@tsv/clock';
import { IPV4_LOOPBACK, Stack, type LinkEndpoint } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { BridgePorts } from '../device/bridge-ports.js';
import type { VirtualLink } from '../device/virtual-links.js';

/** What stacks are made with. */
export interface NetStacksOptions {
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly random: (dst: Uint8Array) => void;
}

/** Has a stack polled when it is due. */
class StackTimer extends Timer {
  readonly #stack: Stack;

  constructor(stack: Stack) {
    super();
    this.#stack = stack;
  }

  fired(nowMs: number): void {
    this.#stack.poll(nowMs);
  }
}

/** The TCP/IP stacks of a kernel: one a network namespace, made when somebody first wants it. */
export class NetStacks {
  readonly #options: NetStacksOptions;
  readonly #initial: NetNamespace;
  readonly bridgePorts = new BridgePorts();
  readonly #virtualLinks = new WeakMap<LinkEndpoint, VirtualLink>();
  readonly #unsettled: Stack[] = [];
  /** How many stacks are in {@link #unsettled}: V8 gives an array that is emptied new room each time. */
  #unsettledCount = 0;

  /** `initial` starts with its loopback interface up; others start with it down, network_namespaces(7). */
  constructor(options: NetStacksOptions, initial: NetNamespace) {
    this.#options = options;
    this.#initial = initial;
  }

  /** What a link that a program made is, or undefined. */
  virtualLinkOf(link: LinkEndpoint): VirtualLink | undefined {
    return this.#virtualLinks.get(link);
  }

  rememberLink(virtual: VirtualLink): void {
    this.#virtualLinks.set(virtual.link, virtual);
  }

  forgetLink(link: LinkEndpoint): void {
    this.#virtualLinks.delete(link);
  }

  /** Whether a call has left something to do for {@link settle}. */
  get isUnsettled(): boolean {
    return this.#unsettledCount > 0;
  }

  /** Does what calls have caused whose callers run again already. */
  settle(): void {
    for (let i = 0; i < this.#unsettledCount; i++) this.#unsettled[i]!.settle();
    this.#unsettledCount = 0;
  }

  /** The stack of a namespace. */
  of(net: NetNamespace): Stack {
    if (net.stack !== null) return net.stack;
    const { clock, timers, random } = this.#options;
    const stack = new Stack({ clock, random: { fill: random } });
    const timer = new StackTimer(stack);
    stack.onDeadline = (atMs) => {
      timers.arm(timer, atMs);
    };
    stack.onUnsettled = () => {
      this.#unsettled[this.#unsettledCount++] = stack;
    };
    if (net !== this.#initial) {
      stack.loopback.down();
      stack.loopback.removeAddress(IPV4_LOOPBACK);
    }
    net.stack = stack;
    return stack;
  }
}
