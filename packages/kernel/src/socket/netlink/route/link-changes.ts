import {
  EADDRNOTAVAIL,
  EBUSY,
  EEXIST,
  EINVAL,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
  EBADF,
  IFF_UP,
  IFI_CHANGE,
  IFI_FLAGS,
  IFI_INDEX,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_NET_NS_PID,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELLINK,
  RTM_NEWLINK,
  SIZEOF_IFINFOMSG,
  VETH_INFO_PEER,
  type Errno,
} from '@tsv/abi';
import { Bridge, type LinkEndpoint, type Nic, type Stack } from '@tsv/netstack';
import { NamespaceFile } from '../../../namespace/namespace-files.js';
import { NetNamespace } from '../../../namespace/net-namespace.js';
import { changeDeviceFlags, deviceNamed, isDeviceName } from '../../device/net-device.js';
import { DummyLink, createVeth, localLinkAddress, type VirtualLink } from '../../device/virtual-links.js';
import type { Attribute, NetlinkRequest } from '../netlink-request.js';
import { notifyUevent } from '../uevent.js';
import { findLink } from './link-messages.js';
import { notifyLink } from './route-notifications.js';

/** Of an Ethernet address. */
const LINK_ADDRESS_BYTES = 6;

type Attributes = ReadonlyMap<number, Attribute>;

/** RTM_NEWLINK and RTM_SETLINK: changes a device, or makes one. Errors: EBUSY, EEXIST, EINVAL, ENODEV, EOPNOTSUPP. */
export function changeLink(request: NetlinkRequest): 0 | Errno {
  const attributes = request.attributes(SIZEOF_IFINFOMSG);
  if (typeof attributes === 'number') return attributes;
  const nic = findLink(request, attributes);
  const mayCreate = request.type === RTM_NEWLINK && (request.flags & NLM_F_CREATE) !== 0;
  if (typeof nic === 'number') return mayCreate ? createLink(request, attributes) : nic;
  if (mayCreate && (request.flags & NLM_F_EXCL) !== 0) return -EEXIST;
  return setLink(request, attributes, nic);
}

/** RTM_DELLINK: only what programs made can go. Errors: EINVAL, ENODEV, EOPNOTSUPP. */
export function deleteLink(request: NetlinkRequest): 0 | Errno {
  const attributes = request.attributes(SIZEOF_IFINFOMSG);
  if (typeof attributes === 'number') return attributes;
  const nic = findLink(request, attributes);
  if (typeof nic === 'number') return nic;
  const { netStacks } = request.t.kernel;
  const virtual = netStacks.virtualLinkOf(nic.link);
  if (virtual === undefined) return -EOPNOTSUPP;
  if (virtual.kind === 'bridge') releasePorts(request, virtual);
  // Both ends of a veth go together.
  for (const end of virtual.peer === null ? [virtual] : [virtual, virtual.peer]) {
    const gone = netStacks.of(end.net).nic(end.nicId);
    if (gone !== undefined) {
      netStacks.bridgePorts.release(gone);
      notifyLink(request, end.net, gone, RTM_DELLINK);
      notifyUevent(end.net, 'remove', gone);
    }
    netStacks.of(end.net).removeNic(end.nicId);
    netStacks.forgetLink(end.link);
  }
  return 0;
}

function releasePorts(request: NetlinkRequest, master: VirtualLink): void {
  const { bridgePorts, stack, net } = request;
  for (const nic of stack.nics) {
    if (bridgePorts.of(nic)?.master !== master) continue;
    bridgePorts.release(nic);
    notifyLink(request, net, nic, RTM_NEWLINK);
  }
}

/** IFLA_MASTER: has a device be a port of a bridge, or of none for 0. Errors: those of {@link BridgePorts}, ENODEV. */
function setMaster(request: NetlinkRequest, attributes: Attributes, nic: Nic): 0 | Errno {
  const index = request.u32(attributes.get(IFLA_MASTER));
  if (index === undefined) return 0;
  const { bridgePorts, stack, t } = request;
  if (index === 0) {
    bridgePorts.release(nic);
    return 0;
  }
  const master = stack.nic(index);
  if (master === undefined) return -ENODEV;
  return bridgePorts.enslave(stack, nic, t.kernel.netStacks.virtualLinkOf(master.link));
}

function setLink(request: NetlinkRequest, attributes: Attributes, nic: Nic): 0 | Errno {
  const { view, at, stack } = request;
  const mtu = request.u32(attributes.get(IFLA_MTU));
  if (mtu !== undefined && !nic.setMtu(mtu)) return -EINVAL;
  if (attributes.has(IFLA_ADDRESS)) return -EOPNOTSUPP;
  const name = request.string(attributes.get(IFLA_IFNAME));
  const index = view.getInt32(at + IFI_INDEX, true);
  if (name !== undefined && index > 0 && name !== nic.name) {
    if (!isDeviceName(name)) return -EINVAL;
    if (deviceNamed(stack, name) !== undefined) return -EEXIST;
    const oldName = nic.name;
    nic.name = name;
    notifyUevent(request.net, 'move', nic, oldName);
  }
  const target = targetNamespace(request, attributes);
  if (typeof target === 'number') return target;
  if (target !== null && target !== request.net) return moveLink(request, nic, target);
  const mastered = setMaster(request, attributes, nic);
  if (mastered !== 0) return mastered;
  const mask = view.getUint32(at + IFI_CHANGE, true);
  const flags = view.getUint32(at + IFI_FLAGS, true);
  if (mask !== 0) changeDeviceFlags(nic, flags, mask);
  else if (request.type === RTM_NEWLINK && flags !== 0) changeDeviceFlags(nic, flags, IFF_UP);
  notifyLink(request, request.net, nic, RTM_NEWLINK);
  return 0;
}

function createLink(request: NetlinkRequest, attributes: Attributes): 0 | Errno {
  const linkInfo = attributes.get(IFLA_LINKINFO);
  if (linkInfo === undefined) return -ENODEV;
  const info = request.nested(linkInfo);
  const kind = request.string(info.get(IFLA_INFO_KIND));
  const target = targetNamespace(request, attributes);
  if (typeof target === 'number') return target;
  const net = target ?? request.net;
  const name = nameFor(request, net, request.string(attributes.get(IFLA_IFNAME)), kind ?? '');
  if (typeof name === 'number') return name;
  const address = linkAddressFor(request, attributes);
  if (typeof address === 'number') return address;
  const link = kind === 'veth' ? null : linkOfKind(request, kind, address);
  if (link === undefined) return -EOPNOTSUPP;
  if (link !== null) addDevice(request, net, name, link, kind === 'bridge' ? 'bridge' : 'dummy');
  else {
    const made = createVethPair(request, net, name, address, info.get(IFLA_INFO_DATA));
    if (made !== 0) return made;
  }
  return finishNew(request, attributes, net, name);
}

function linkOfKind(request: NetlinkRequest, kind: string | undefined, address: Uint8Array): LinkEndpoint | undefined {
  if (kind === 'dummy') return new DummyLink(address);
  return kind === 'bridge' ? new Bridge(request.stack.clock, address) : undefined;
}

/** The link address that a new device is given, or one of its own. Errors: EINVAL, EADDRNOTAVAIL for a group's. */
function linkAddressFor(request: NetlinkRequest, attributes: Attributes): Uint8Array | Errno {
  const wanted = attributes.get(IFLA_ADDRESS);
  if (wanted === undefined) return localLinkAddress(request.t.kernel.random);
  if (wanted.len !== LINK_ADDRESS_BYTES) return -EINVAL;
  const address = request.bytes.slice(wanted.at, wanted.at + wanted.len);
  return (address[0]! & 1) !== 0 || address.every((byte) => byte === 0) ? -EADDRNOTAVAIL : address;
}

/** What the request says of the new device besides: its MTU, its master, and whether it is up. */
function finishNew(request: NetlinkRequest, attributes: Attributes, net: NetNamespace, name: string): 0 | Errno {
  const stack = request.t.kernel.netStacks.of(net);
  const nic = deviceNamed(stack, name)!;
  const mtu = request.u32(attributes.get(IFLA_MTU));
  if (mtu !== undefined && !nic.setMtu(mtu)) return -EINVAL;
  if (net === request.net) {
    const mastered = setMaster(request, attributes, nic);
    if (mastered !== 0) return mastered;
  }
  if ((request.view.getUint32(request.at + IFI_FLAGS, true) & IFF_UP) !== 0) nic.up();
  return 0;
}

function createVethPair(
  request: NetlinkRequest,
  net: NetNamespace,
  name: string,
  address: Uint8Array,
  data: Attribute | undefined,
): 0 | Errno {
  const { random } = request.t.kernel;
  const peerInfo = data === undefined ? undefined : request.nested(data).get(VETH_INFO_PEER);
  let peerNet = net;
  let wanted: string | undefined;
  if (peerInfo !== undefined) {
    if (peerInfo.len < SIZEOF_IFINFOMSG) return -EINVAL;
    const attributes = request.attributesBetween(peerInfo.at + SIZEOF_IFINFOMSG, peerInfo.at + peerInfo.len);
    const target = targetNamespace(request, attributes);
    if (typeof target === 'number') return target;
    peerNet = target ?? net;
    wanted = request.string(attributes.get(IFLA_IFNAME));
  }
  if (wanted === name && peerNet === net) return -EEXIST;
  const [near, far] = createVeth(address, localLinkAddress(random));
  const own = addDevice(request, net, name, near, 'veth');
  const peerName = nameFor(request, peerNet, wanted, 'veth');
  if (typeof peerName === 'number') {
    request.t.kernel.netStacks.of(net).removeNic(own.nicId);
    request.t.kernel.netStacks.forgetLink(near);
    return peerName;
  }
  const peer = addDevice(request, peerNet, peerName, far, 'veth');
  own.peer = peer;
  peer.peer = own;
  return 0;
}

/** Adds a device that is down, as a new one is. */
function addDevice(
  request: NetlinkRequest,
  net: NetNamespace,
  name: string,
  link: LinkEndpoint,
  kind: VirtualLink['kind'],
): VirtualLink {
  const { netStacks } = request.t.kernel;
  const nic = netStacks.of(net).addNic(name, link, { isDown: true });
  const virtual: VirtualLink = { kind, link, peer: null, net, nicId: nic.id };
  netStacks.rememberLink(virtual);
  notifyLink(request, net, nic, RTM_NEWLINK);
  notifyUevent(net, 'add', nic);
  return virtual;
}

/** Takes a device to another namespace, where it is down and has no addresses. Errors: EEXIST, EINVAL, EOPNOTSUPP. */
function moveLink(request: NetlinkRequest, nic: Nic, net: NetNamespace): 0 | Errno {
  const { netStacks } = request.t.kernel;
  const virtual = netStacks.virtualLinkOf(nic.link);
  if (nic.isLoopback || virtual?.kind === 'bridge') return -EINVAL;
  const to: Stack = netStacks.of(net);
  if (deviceNamed(to, nic.name) !== undefined) return -EEXIST;
  request.bridgePorts.release(nic);
  notifyLink(request, request.net, nic, RTM_DELLINK);
  notifyUevent(request.net, 'remove', nic);
  request.stack.removeNic(nic.id);
  const moved = to.addNic(nic.name, nic.link, { isDown: true });
  if (virtual !== undefined) {
    virtual.net = net;
    virtual.nicId = moved.id;
  }
  notifyLink(request, net, moved, RTM_NEWLINK);
  notifyUevent(net, 'add', moved);
  return 0;
}

/** The namespace that IFLA_NET_NS_PID or IFLA_NET_NS_FD name, or null. Errors: EBADF, EINVAL, EPERM, ESRCH. */
function targetNamespace(request: NetlinkRequest, attributes: Attributes): NetNamespace | null | Errno {
  const { t } = request;
  const pid = request.u32(attributes.get(IFLA_NET_NS_PID));
  const fd = request.u32(attributes.get(IFLA_NET_NS_FD));
  let net: NetNamespace | null = null;
  if (pid !== undefined) {
    const task = t.pidNs.lookup(pid)?.task ?? null;
    if (task === null) return -ESRCH;
    net = task.ns.net;
  } else if (fd !== undefined) {
    const file = t.fds.get(fd | 0);
    if (file === undefined) return -EBADF;
    if (!(file instanceof NamespaceFile) || !(file.namespace instanceof NetNamespace)) return -EINVAL;
    net = file.namespace;
  }
  if (net !== null && !request.isAdminOf(net)) return -EPERM;
  return net;
}

/** The name for a new device: the wanted one, or the first that is free of a pattern. Errors: EEXIST, EINVAL. */
function nameFor(request: NetlinkRequest, net: NetNamespace, wanted: string | undefined, kind: string): string | Errno {
  const stack = request.t.kernel.netStacks.of(net);
  if (wanted !== undefined && !wanted.includes('%')) {
    if (!isDeviceName(wanted)) return -EINVAL;
    return deviceNamed(stack, wanted) === undefined ? wanted : -EEXIST;
  }
  const prefix = wanted === undefined ? kind : wanted.slice(0, wanted.indexOf('%'));
  for (let n = 0; n < DEVICE_COUNT_MAX; n++) {
    const name = `${prefix}${n}`;
    if (isDeviceName(name) && deviceNamed(stack, name) === undefined) return name;
  }
  return -EBUSY;
}

/** Devices that are numbered in one namespace. */
const DEVICE_COUNT_MAX = 4096;
