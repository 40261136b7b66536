import type { Kernel } from '@tsv/kernel';
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

/**
 * Joins the stack of the sandbox's first network namespace to what `mode` says. Everything of the host that needs a name
 * or a privilege is open when this resolves.
 */
export async function openNetwork(mode: NetworkMode, kernel: Kernel, log: SandboxLog): Promise<SandboxNetwork> {
  if (mode === 'none') return NO_NETWORK;
  const { openHostNat } = await import('./host-nat-network.js');
  const network = openHostNat(kernel.netStacks.of(kernel.ns.net));
  log.info('The sandbox reaches the network through sockets of the host');
  return network;
}
