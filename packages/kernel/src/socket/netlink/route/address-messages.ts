import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EADDRNOTAVAIL,
  EEXIST,
  EINVAL,
  ENODEV,
  IFA_ADDRESS,
  IFA_BROADCAST,
  IFA_CACHEINFO,
  IFA_FLAGS,
  IFA_FLAGS_U8,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  IFA_INDEX,
  IFA_LABEL,
  IFA_LOCAL,
  IFA_PREFIXLEN,
  IFA_SCOPE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  SIZEOF_IFADDRMSG,
  SIZEOF_IFA_CACHEINFO,
  type Errno,
} from '@tsv/abi';
import { AddressState, type Nic, type NicAddress, IFA_F_TEMPORARY } from '@tsv/netstack';
import { broadcastOf } from '../../device/net-device.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';
import { notifyGroup } from '../notify-group.js';

const FOREVER_SEC = 0xffffffff;

/** RTM_GETADDR: the addresses of all devices, or of the one that is named. Errors: EINVAL. */
export function getAddresses(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  const { family, stack } = request;
  const index = request.payloadLen >= SIZEOF_IFADDRMSG ? request.view.getUint32(request.at + IFA_INDEX, true) : 0;
  for (const nic of stack.nics) {
    if (index !== 0 && nic.id !== index) continue;
    for (const entry of nic.addresses) {
      if (family !== AF_UNSPEC && (family === AF_INET) !== entry.address.isIpv4) continue;
      writeAddress(reply.begin(RTM_NEWADDR), entry, stack.nowMs);
    }
  }
  return 0;
}

/** RTM_NEWADDR and RTM_DELADDR. Errors: EADDRNOTAVAIL, EEXIST, EINVAL, ENODEV. */
export function changeAddress(request: NetlinkRequest): 0 | Errno {
  const attributes = request.attributes(SIZEOF_IFADDRMSG);
  if (typeof attributes === 'number') return attributes;
  const { view, at, stack, bytes } = request;
  const nic = stack.nic(view.getUint32(at + IFA_INDEX, true));
  if (nic === undefined) return -ENODEV;
  const address = request.address(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
  const prefixLen = bytes[at + IFA_PREFIXLEN]!;
  if (address === undefined || prefixLen > address.byteCount * 8) return -EINVAL;
  if ((request.family === AF_INET) !== address.isIpv4) return -EINVAL;
  const known = nic.findAddress(address);
  if (request.type === RTM_DELADDR) {
    if (known === undefined || known.prefixLen !== prefixLen) return -EADDRNOTAVAIL;
    notifyAddress(request, known, RTM_DELADDR);
    nic.removeAddress(address);
    return 0;
  }
  if (known !== undefined) {
    const replaces = (request.flags & NLM_F_REPLACE) !== 0 && (request.flags & NLM_F_EXCL) === 0;
    return replaces && known.prefixLen === prefixLen ? 0 : -EEXIST;
  }
  const flags = request.u32(attributes.get(IFA_FLAGS)) ?? bytes[at + IFA_FLAGS_U8]!;
  const entry = nic.addAddress({ address, prefixLen }, flags & ~IFA_F_TEMPORARY);
  if (entry === null) return -EEXIST;
  notifyAddress(request, entry, RTM_NEWADDR);
  return 0;
}

/** Scope of an address: how far others can reach it by it. */
export function scopeOf({ address }: NicAddress): number {
  if (address.isLoopback) return RT_SCOPE_HOST;
  return address.isLinkLocal && !address.isIpv4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

function writeAddress(writer: NetlinkWriter, entry: NicAddress, nowMs: number): void {
  const { address, nic, prefixLen } = entry;
  const flags = flagsOf(entry);
  const at = writer.extend(SIZEOF_IFADDRMSG);
  writer.view.setUint8(at, address.isIpv4 ? AF_INET : AF_INET6);
  writer.view.setUint8(at + IFA_PREFIXLEN, prefixLen);
  writer.view.setUint8(at + IFA_FLAGS_U8, flags & 0xff);
  writer.view.setUint8(at + IFA_SCOPE, scopeOf(entry));
  writer.view.setUint32(at + IFA_INDEX, nic.id, true);
  writer.address(IFA_ADDRESS, address);
  if (address.isIpv4) {
    writer.address(IFA_LOCAL, address);
    const broadcast = broadcastOf(entry);
    if (!broadcast.isUnspecified && hasBroadcast(nic)) writer.address(IFA_BROADCAST, broadcast);
    writer.string(IFA_LABEL, nic.name);
  }
  writer.u32(IFA_FLAGS, flags);
  const cacheAt = writer.attribute(IFA_CACHEINFO, SIZEOF_IFA_CACHEINFO);
  writer.view.setUint32(cacheAt, secondsUntil(entry.preferredUntilMs, nowMs), true);
  writer.view.setUint32(cacheAt + 4, secondsUntil(entry.validUntilMs, nowMs), true);
  writer.end();
}

/** `IFA_F_*` of an address. */
export function flagsOf(entry: NicAddress): number {
  let flags = entry.flags & (~0xff | IFA_F_TEMPORARY);
  if (entry.validUntilMs === Infinity) flags |= IFA_F_PERMANENT;
  if (entry.state === AddressState.TENTATIVE) flags |= IFA_F_TENTATIVE;
  if (entry.state === AddressState.DEPRECATED) flags |= IFA_F_DEPRECATED;
  if (entry.state === AddressState.DUPLICATE) flags |= IFA_F_DADFAILED;
  return flags;
}

function hasBroadcast(nic: Nic): boolean {
  return !nic.isLoopback && nic.link.linkAddress !== null;
}

function secondsUntil(atMs: number, nowMs: number): number {
  return atMs === Infinity ? FOREVER_SEC : Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}

function notifyAddress(request: NetlinkRequest, entry: NicAddress, type: number): void {
  const group = entry.address.isIpv4 ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR;
  notifyGroup(request.net, 0, group, (writer) => {
    writer.begin(type, 0, request.seq, 0);
    writeAddress(writer, entry, request.stack.nowMs);
  });
}
