import { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import {
  ARPOP_REPLY,
  ARPOP_REQUEST,
  ARP_BYTES,
  arpIsWellFormed,
  arpOperation,
  arpSenderLinkAt,
  loadArpSender,
  loadArpTarget,
  storeArp,
} from '../wire/arp.js';
import { ETH_ALEN, ETH_P_ARP, isLinkMulticast, type LinkAddress, linkAddressEquals } from '../wire/ethernet.js';
import type { Nic } from './nic.js';

/** Handles an ARP packet, RFC 826 "Packet Reception". The packet is ours to release. */
export function arpInput(stack: Stack, nic: Nic, packet: PacketBuffer): void {
  const { bytes, at, src, dst } = packet;
  if (!arpIsWellFormed(bytes, at, packet.len)) {
    nic.stats.rxErrors++;
    return packet.release();
  }
  loadArpSender(bytes, at, src);
  loadArpTarget(bytes, at, dst);
  const linkAt = arpSenderLinkAt(at);
  const operation = arpOperation(bytes, at);
  if (nic.defence !== null && !linkAddressEquals(bytes, linkAt, nic.link.linkAddress!)) nic.defence.heard(src, dst);
  const isForUs = stack.isLocalOn(nic, dst);
  const isSane = !isLinkMulticast(bytes, linkAt) && !src.isMulticast && !src.isLoopback && !stack.isLocalOn(nic, src);
  if (isSane && operation === ARPOP_REPLY && !src.isUnspecified) {
    nic.neighbours!.advertised(src, bytes, linkAt, isForUs, true, false, stack.nowMs);
  } else if (isSane && operation === ARPOP_REQUEST && isForUs) {
    const senderLink = bytes.slice(linkAt, linkAt + ETH_ALEN);
    if (!src.isUnspecified) nic.neighbours!.learn(src, bytes, linkAt, stack.nowMs);
    arpReply(nic, packet, senderLink);
  } else if (isSane && operation === ARPOP_REQUEST && !src.isUnspecified) {
    // What is known of the sender is brought up to date whomever it asks for, as itself after a change of address.
    nic.neighbours!.advertised(src, bytes, linkAt, false, true, false, stack.nowMs);
  }
  packet.release();
}

function arpReply(nic: Nic, request: PacketBuffer, to: LinkAddress): void {
  const reply = PacketBuffer.allocate(ARP_BYTES);
  reply.etherType = ETH_P_ARP;
  const at = reply.extend(ARP_BYTES);
  storeArp(reply.bytes, at, ARPOP_REPLY, nic.link.linkAddress!, request.dst, to, request.src);
  nic.transmitTo(reply, to);
}
