import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Nic } from '../net/nic.js';
import type { Stack } from '../stack.js';
import type { LinkAddress } from '../wire/ethernet.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

/** An interface as a bridge sees it: its frames go to the bridge and no longer to the stack, while it is up. */
export class NicPort implements LinkEndpoint {
  readonly nic: Nic;
  readonly isLoopback = false;
  readonly #stack: Stack;

  constructor(stack: Stack, nic: Nic) {
    this.#stack = stack;
    this.nic = nic;
  }

  get mtu(): number {
    return this.nic.mtu;
  }

  get linkAddress(): LinkAddress | null {
    return this.nic.link.linkAddress;
  }

  get gsoBytesMax(): number {
    return this.nic.link.gsoBytesMax;
  }

  get hasChecksumOffload(): boolean {
    return this.nic.link.hasChecksumOffload;
  }

  send(packet: PacketBuffer): void {
    this.#stack.enter();
    this.nic.transmitRaw(packet);
    this.#stack.leave();
  }

  attach(sink: LinkSink | null): void {
    this.nic.divert(sink);
  }
}
