import type { HostFdWatcher } from '@tsv/gofer';
import type { Kernel } from '@tsv/kernel';
import type { LinkEndpoint } from '@tsv/netstack';
import type { Spec } from '@tsv/oci';
import type { NetworkMode, RuntimeConfig } from '../config.js';
import { lineWriter } from '../quiet-log.js';
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

/** Puts something around a link that is named `name`. */
export type LinkWrapper = (name: string, link: LinkEndpoint) => LinkEndpoint;

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
  readonly config: RuntimeConfig;
}

/**
 * Joins the sandbox's first network namespace to what the mode says. Everything of the host that needs a name or a
 * privilege is open when this resolves. Throws {@link SandboxError}.
 */
export async function openNetwork(options: NetworkOptions): Promise<SandboxNetwork> {
  const { mode, kernel, watcher, log } = options;
  if (mode === 'none') return NO_NETWORK;
  if (mode === 'host') {
    const { useHostNetwork } = await import('./host/host-network.js');
    return useHostNetwork(kernel, watcher);
  }
  const { config } = options;
  if (!config.isLoggingPackets && config.pcapFile === null) return openStack(options, (_name, link) => link);
  const { PacketCapture } = await import('./packet-capture.js');
  const capture = new PacketCapture({
    clock: kernel.clock,
    say: config.isLoggingPackets ? lineWriter(config, log) : null,
    path: config.pcapFile,
  });
  try {
    const network = await openStack(options, (name, link) => capture.watch(name, link));
    return {
      ...network,
      close: () => {
        network.close();
        capture.close();
      },
    };
  } catch (error) {
    capture.close();
    throw error;
  }
}

/** Joins the sandbox's own stack to a network namespace of the host, or to the host by its sockets. */
async function openStack(options: NetworkOptions, wrap: LinkWrapper): Promise<SandboxNetwork> {
  const { spec, kernel, watcher, log } = options;
  const stack = kernel.netStacks.of(kernel.ns.net);
  const path = spec.linux?.namespaces?.find(({ type }) => type === 'network')?.path;
  if (path !== undefined) {
    const { openPacketNetwork } = await import('./packet-network.js');
    // A namespace without a device but loopback is a network too: none.
    return openPacketNetwork(stack, path, watcher, wrap) ?? NO_NETWORK;
  }
  const { openHostNat } = await import('./host-nat-network.js');
  const network = openHostNat(kernel, wrap);
  log.info('The container names no network namespace: it reaches the network through sockets of the host');
  return network;
}
