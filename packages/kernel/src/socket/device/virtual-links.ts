import type { LinkEndpoint, LinkSink, PacketBuffer } from '@tsv/netstack';
import { PipeLink } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';

/** What a virtual device is: told as IFLA_INFO_KIND. */
export type LinkKind = 'veth' | 'dummy' | 'bridge';

/** What is known of the links that programs made, ip-link(8). Links of boot have no entry. */
export interface VirtualLink {
  readonly kind: LinkKind;
  readonly link: LinkEndpoint;
  /** The other end of a veth(4), or null. */
  peer: VirtualLink | null;
  /** The namespace that it is in now. */
  net: NetNamespace;
  /** Its device's number there. */
  nicId: number;
}

/** MTU of virtual devices. */
const MTU_BYTES = 1500;

/** A device that drops what it is given, and receives nothing. */
export class DummyLink implements LinkEndpoint {
  readonly mtu = MTU_BYTES;
  readonly linkAddress: Uint8Array;
  readonly isLoopback = false;
  readonly gsoBytesMax = 0;
  readonly hasChecksumOffload = true;

  constructor(linkAddress: Uint8Array) {
    this.linkAddress = linkAddress;
  }

  send(packet: PacketBuffer): void {
    packet.release();
  }

  attach(_sink: LinkSink | null): void {
    // Nothing comes.
  }
}

/** The two ends of a veth(4). */
export function createVeth(a: Uint8Array, b: Uint8Array): [LinkEndpoint, LinkEndpoint] {
  return PipeLink.pair({ mtu: MTU_BYTES, linkAddresses: [a, b] });
}

/** A locally administered unicast link address from six random bytes. */
export function localLinkAddress(random: (dst: Uint8Array) => void): Uint8Array {
  const address = new Uint8Array(6);
  random(address);
  address[0] = (address[0]! & 0xfe) | 0x02;
  return address;
}
