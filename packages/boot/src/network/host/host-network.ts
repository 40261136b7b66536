import { AF_INET, AF_INET6, IFF_LOOPBACK, IFF_UP } from '@tsv/abi';
import type { HostFdWatcher } from '@tsv/gofer';
import type { Kernel } from '@tsv/kernel';
import { RTPROT_BOOT, type LinkEndpoint, type Stack } from '@tsv/netstack';
import { HostNetlink, type HostLink } from '../host-netlink.js';
import type { SandboxNetwork } from '../sandbox-network.js';
import { HostSocketFamily } from './host-socket-family.js';

/**
 * Lets guests make sockets of the host: AF_INET and AF_INET6 are passed through. The stack of the sandbox shows the
 * host's interfaces and routes to whoever asks, and carries nothing.
 */
export function useHostNetwork(kernel: Kernel, watcher: HostFdWatcher): SandboxNetwork {
  for (const family of [AF_INET, AF_INET6] as const) {
    kernel.socketFamilies.replace(new HostSocketFamily(family, kernel, watcher));
  }
  showInterfaces(kernel.netStacks.of(kernel.ns.net));
  return { hostUse: 'sockets', nameServer: null, close: () => undefined };
}

/** An interface to be looked at: nothing goes through it. */
class ShownLink implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: Uint8Array | null;
  readonly isLoopback = false;
  readonly gsoBytesMax = 0;
  readonly hasChecksumOffload = true;

  constructor(link: HostLink) {
    this.mtu = link.mtu;
    this.linkAddress = link.linkAddress;
  }

  send: LinkEndpoint['send'] = (packet) => {
    packet.release();
  };

  attach(): void {
    // Nothing comes.
  }
}

function showInterfaces(stack: Stack): void {
  const netlink = new HostNetlink();
  try {
    const links = netlink.links().filter(({ flags }) => (flags & IFF_LOOPBACK) === 0);
    const addresses = netlink.addresses();
    const numbers = new Map<number, number>();
    for (const link of links) {
      const nic = stack.addNic(link.name, new ShownLink(link), {
        isDown: (link.flags & IFF_UP) === 0,
        addresses: addresses.filter(({ index }) => index === link.index),
      });
      numbers.set(link.index, nic.id);
    }
    for (const { destination, index, gateway, source, metric } of netlink.routes()) {
      const nicId = numbers.get(index);
      if (nicId === undefined) continue;
      stack.routes.add({ destination, nicId, gateway, source, metric, protocol: RTPROT_BOOT });
    }
  } finally {
    netlink.close();
  }
}
