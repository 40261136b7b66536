import type { HostFdWatcher } from '@tsv/gofer';
import type { Kernel } from '@tsv/kernel';
import type { Spec } from '@tsv/oci';
import type { NetworkMode } from '../config.js';
import type { SandboxLog } from '../sandbox-log.js';

/** What the sentry does with the host's network while guests run: its confinement leaves that open and nothing more. */
export type HostNetworkUse =
  /** Nothing. */
  | 'none'
  /** Makes sockets of the host and talks over them. */
  | 'sockets'
  /** Sends and receives packets over descriptors that are open already. */
  | 'packets';

/** The way from a sandbox's stack to a network, or to none. */
export interface SandboxNetwork {
  readonly hostUse: HostNetworkUse;
  /** The name server that guests reach, for /etc/resolv.conf; null to leave that file as it is. */
  readonly nameServer: string | null;
  /** Gives everything back. */
  close(): void;
}

/** The loopback device alone: the stack has it already. */
const NO_NETWORK: SandboxNetwork = {
  hostUse: 'none',
  nameServer: null,
  close: () => undefined,
};

/** What {@link openNetwork} works with. */
export interface NetworkOptions {
  readonly mode: NetworkMode;
  readonly spec: Spec;
  readonly kernel: Kernel;
  readonly watcher: HostFdWatcher;
  readonly log: SandboxLog;
}

/**
 * Joins the sandbox's first network namespace to what the mode says. Everything of the host that needs a name or a
 * privilege is open when this resolves. Throws {@link SandboxError}.
 */
export async function openNetwork(options: NetworkOptions): Promise<SandboxNetwork> {
  const { mode, spec, kernel, watcher, log } = options;
  if (mode === 'none') return NO_NETWORK;
  if (mode === 'host') {
    const { useHostNetwork } = await import('./host/host-network.js');
    return useHostNetwork(kernel, watcher);
  }
  const stack = kernel.netStacks.of(kernel.ns.net);
  const path = spec.linux?.namespaces?.find(({ type }) => type === 'network')?.path;
  if (path !== undefined) {
    const { openPacketNetwork } = await import('./packet-network.js');
    // A namespace without a device but loopback is a network too: none.
    return openPacketNetwork(stack, path, watcher) ?? NO_NETWORK;
  }
  const { openHostNat } = await import('./host-nat-network.js');
  const network = openHostNat(stack);
  log.info('The container names no network namespace: it reaches the network through sockets of the host');
  return network;
}
