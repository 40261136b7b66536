import type { Kernel } from '@tsv/kernel';
import { IPV4_ANY, IpAddress, DnsForwarder, EgressPolicy, PipeLink, parsePrefix } from '@tsv/netstack';
import { HostNat, HostUpstream } from '@tsv/netstack/slirp';
import type { LinkWrapper, SandboxNetwork } from './sandbox-network.js';

/** The network behind the gateway, numbered as that of slirp4netns(1) so that nobody is surprised. */
const GUEST = parsePrefix('10.0.2.15/24');
const GATEWAY = parsePrefix('10.0.2.2/24');
const NAME_SERVER = parsePrefix('10.0.2.3/24');
const GUEST6 = parsePrefix('fd00::15/64');
const GATEWAY6 = parsePrefix('fd00::2/64');
/** The cable goes through memory: the larger a packet, the fewer of them. */
const MTU_BYTES = 65_520;
/** Locally administered addresses, as virtual machines have them. */
const GUEST_LINK = Uint8Array.of(0x52, 0x54, 0x00, 0x12, 0x34, 0x56);
const GATEWAY_LINK = Uint8Array.of(0x52, 0x55, 0x0a, 0x00, 0x02, 0x02);

/**
 * Gives the sandbox's stack a device `eth0` whose packets go on through ordinary sockets of the host: needs no privilege,
 * and the other side sees the host's address. Names are resolved by the host's server, through a forwarder at the gateway.
 */
export function openHostNat({ netStacks, ns, random }: Kernel, wrap: LinkWrapper): SandboxNetwork {
  const stack = netStacks.of(ns.net);
  const [near, far] = PipeLink.pair({ mtu: MTU_BYTES, linkAddresses: [GUEST_LINK, GATEWAY_LINK] });
  const nat = new HostNat(far, { addresses: [GATEWAY, NAME_SERVER, GATEWAY6], random: { fill: random } });
  const policy = new EgressPolicy(nat.stack, { onFlow: () => ({ action: 'allow' }) });
  const forwarder = new DnsForwarder(nat.stack, NAME_SERVER.address, policy, new HostUpstream());
  const eth0 = stack.addNic('eth0', wrap('eth0', near), { addresses: [GUEST, GUEST6] });
  const anyV4 = { address: IPV4_ANY, prefixLen: 0 };
  stack.routes.add({ destination: anyV4, nicId: eth0.id, gateway: GATEWAY.address });
  const anyV6 = { address: IpAddress.parse('::'), prefixLen: 0 };
  stack.routes.add({ destination: anyV6, nicId: eth0.id, gateway: GATEWAY6.address, metric: 1024 });
  return {
    hostUse: 'sockets',
    nameServer: String(NAME_SERVER.address),
    close: () => {
      stack.removeNic(eth0.id);
      forwarder.close();
      nat.close();
    },
  };
}
