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
  /** Whether a call has left something to do for {@link settle}. */
  isUnsettled = false;

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

  /** Does what calls have caused whose callers run again already. */
  settle(): void {
    for (const stack of this.#unsettled) stack.settle();
    this.#unsettled.length = 0;
    this.isUnsettled = false;
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
      this.#unsettled.push(stack);
      this.isUnsettled = true;
    };
    if (net !== this.#initial) {
      stack.loopback.down();
      stack.loopback.removeAddress(IPV4_LOOPBACK);
    }
    net.stack = stack;
    return stack;
  }
}
