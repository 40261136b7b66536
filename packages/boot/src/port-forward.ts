import { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Kernel } from '@tsv/kernel';
import { connect } from '@tsv/netstack/net';
import type { Container } from './container/container.js';
import { SandboxError } from './sandbox-error.js';

/** Connections from outside to ports of a sandbox's own network stack. */
export class PortForwards {
  readonly #kernel: Kernel;
  readonly #open = new Set<Socket>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /**
   * Joins the connected socket `fd` of the host, which is taken over, to a port of a container's loopback address.
   * Resolves when the port was reached. Throws {@link SandboxError}.
   */
  async connect(container: Container, port: number, fd: number): Promise<void> {
    const outside = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    this.#open.add(outside);
    outside.once('close', () => this.#open.delete(outside));
    try {
      const stack = this.#kernel.netStacks.of(container.ns.net);
      const inside = connect(stack, { host: '127.0.0.1', port, allowHalfOpen: true });
      await new Promise<void>((resolve, reject) => {
        inside.once('connect', resolve);
        inside.once('error', reject);
      });
      // A side that breaks takes the other with it; one that ends only ends the other's input.
      const ended = (error: Error | null | undefined): void => {
        if (error == null) return;
        inside.destroy();
        outside.destroy();
      };
      pipeline(outside, inside, ended);
      pipeline(inside, outside, ended);
    } catch (error) {
      outside.destroy();
      throw new SandboxError(`Cannot reach port ${port} of container "${container.id}": ${(error as Error).message}`);
    }
  }

  /** Ends all. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
