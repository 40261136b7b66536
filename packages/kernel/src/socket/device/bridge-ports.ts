import { EBUSY, EINVAL, ELOOP, EOPNOTSUPP, type Errno } from '@tsv/abi';
import { Bridge, NicPort, type BridgePort, type LinkEndpoint, type Nic, type Stack } from '@tsv/netstack';
import type { VirtualLink } from './virtual-links.js';

/** A device that is a port of a bridge. Both are in one namespace. */
export interface Enslaved {
  readonly master: VirtualLink;
  /** The link of `master`. */
  readonly bridge: Bridge;
  readonly port: BridgePort;
}

/** The devices that are ports of bridges, by their links. */
export class BridgePorts {
  readonly #ports = new WeakMap<LinkEndpoint, Enslaved>();

  /** The bridge that a device is a port of, or undefined. */
  of(nic: Nic): Enslaved | undefined {
    return this.#ports.get(nic.link);
  }

  /**
   * Makes a device a port of `master`, and of nothing else. Errors: EBUSY when there are too many, EINVAL for a device
   * without Ethernet, ELOOP for a bridge, EOPNOTSUPP if `master` is none.
   */
  enslave(stack: Stack, nic: Nic, master: VirtualLink | undefined): 0 | Errno {
    if (master === undefined || !(master.link instanceof Bridge)) return -EOPNOTSUPP;
    if (this.of(nic)?.master === master) return 0;
    if (nic.isLoopback || nic.link.linkAddress === null) return -EINVAL;
    if (nic.link instanceof Bridge) return -ELOOP;
    this.release(nic);
    const port = master.link.addPort(new NicPort(stack, nic));
    if (port === null) return -EBUSY;
    this.#ports.set(nic.link, { master, bridge: master.link, port });
    return 0;
  }

  /** Has a device be a port no longer, if it is one. */
  release(nic: Nic): void {
    const enslaved = this.of(nic);
    if (enslaved === undefined) return;
    enslaved.bridge.removePort(enslaved.port);
    this.#ports.delete(nic.link);
  }
}
