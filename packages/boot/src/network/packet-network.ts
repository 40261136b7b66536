import { CLONE_NEWNET, IFF_LOOPBACK, IFF_UP, O_CLOEXEC, O_RDONLY, POLLIN, POLLOUT, errnoText } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';
import { PacketFd, close, openat2, setns } from '@tsv/host';
import { FdLink, RTPROT_BOOT, type Nic, type Stack } from '@tsv/netstack';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';
import { HostNetlink, type HostAddress, type HostLink, type HostRoute } from './host-netlink.js';
import type { LinkWrapper, SandboxNetwork } from './sandbox-network.js';

const AT_FDCWD = -100;
/** Batches received before others get a turn. */
const BATCH_COUNT_MAX = 8;

/** What there is in a network namespace of the host: everything but loopback. */
interface HostNetwork {
  readonly links: readonly HostLink[];
  readonly addresses: readonly HostAddress[];
  readonly routes: readonly HostRoute[];
  readonly devices: readonly PacketFd[];
}

/**
 * Takes over the interfaces of the network namespace at `path`, as `ip netns` or a container manager made it: their
 * addresses and routes go to `stack`, which sends and receives by packet sockets, packet(7), and the host's kernel does
 * not answer for them any more. Null if there is no interface. Throws {@link SandboxError}.
 */
export function openPacketNetwork(
  stack: Stack,
  path: string,
  watcher: HostFdWatcher,
  wrap: LinkWrapper,
): SandboxNetwork | null {
  const network = inNamespace(path, takeOver);
  if (network.links.length === 0) return null;
  const ports = network.links.map(
    (link, index) => new Port(stack, link, network, network.devices[index]!, watcher, wrap),
  );
  for (const route of network.routes) addRoute(stack, route, network.links, ports);
  return {
    hostUse: 'packets',
    nameServer: null,
    close: () => {
      for (const port of ports) port.close();
    },
  };
}

/** One interface of the host as one of the stack. */
class Port implements HostFdListener {
  readonly nic: Nic;
  readonly #link: FdLink;
  readonly #device: PacketFd;
  readonly #watcher: HostFdWatcher;
  readonly #stack: Stack;
  #isBlocked = false;

  constructor(
    stack: Stack,
    link: HostLink,
    network: HostNetwork,
    device: PacketFd,
    watcher: HostFdWatcher,
    wrap: LinkWrapper,
  ) {
    this.#stack = stack;
    this.#device = device;
    this.#watcher = watcher;
    this.#link = new FdLink(device, { mtu: link.mtu, linkAddress: link.linkAddress, hasVirtioHeader: true });
    this.#link.onBlocked = (isBlocked) => {
      this.#isBlocked = isBlocked;
      this.#watch();
    };
    const addresses = network.addresses.filter(({ index }) => index === link.index);
    this.nic = stack.addNic(link.name, wrap(link.name, this.#link), { addresses });
    const added = watcher.add(device.fd, this);
    if (added < 0) throw new SandboxError(`Cannot watch interface "${link.name}": ${errnoText(-added)}`);
    this.#watch();
  }

  hostFdReady(events: number): void {
    if ((events & POLLOUT) !== 0) this.#link.flush();
    for (let i = 0; i < BATCH_COUNT_MAX; i++) if (this.#link.receive() <= 0) break;
    this.#watch();
  }

  close(): void {
    this.#watcher.remove(this.#device.fd);
    this.#stack.removeNic(this.nic.id);
    this.#device.close();
  }

  #watch(): void {
    this.#watcher.watchOnce(this.#device.fd, POLLIN | (this.#isBlocked ? POLLOUT : 0));
  }
}

function addRoute(stack: Stack, route: HostRoute, links: readonly HostLink[], ports: readonly Port[]): void {
  const { destination, gateway, source, metric, index } = route;
  const port = ports[links.findIndex((link) => link.index === index)];
  // Those of the prefixes came with the addresses.
  if (port === undefined) return;
  stack.routes.add({ destination, nicId: port.nic.id, gateway, source, metric, protocol: RTPROT_BOOT });
}

function takeOver(): HostNetwork {
  const netlink = new HostNetlink();
  try {
    const links = netlink.links().filter(({ flags }) => (flags & IFF_UP) !== 0 && (flags & IFF_LOOPBACK) === 0);
    const routes = netlink.routes();
    const addresses = netlink.addresses().filter(({ index }) => links.some((link) => link.index === index));
    const devices = links.map((link) => {
      const device = PacketFd.openSocket(link.index);
      if (typeof device !== 'number') return device;
      throw new SandboxError(`Cannot open interface "${link.name}": ${errnoText(-device)}`);
    });
    for (const address of addresses) netlink.removeAddress(address);
    return { links, routes, addresses, devices };
  } finally {
    netlink.close();
  }
}

/** Runs `body`, which must not wait, with this thread in the network namespace at `path`. */
function inNamespace<T>(path: string, body: () => T): T {
  const own = openFile('/proc/thread-self/ns/net');
  const target = openFile(path);
  try {
    const entered = setns(target, CLONE_NEWNET);
    if (entered < 0) throw new SandboxError(`Cannot enter the network namespace "${path}": ${errnoText(-entered)}`);
    try {
      return body();
    } finally {
      const back = setns(own, CLONE_NEWNET);
      if (back < 0) throw new SandboxError(`Cannot leave the network namespace "${path}": ${errnoText(-back)}`);
    }
  } finally {
    close(target);
    close(own);
  }
}

function openFile(path: string): number {
  const fd = openat2(AT_FDCWD, toByteString(path), O_RDONLY | O_CLOEXEC, 0, 0);
  if (fd < 0) throw new SandboxError(`Cannot open "${path}": ${errnoText(-fd)}`);
  return fd;
}
