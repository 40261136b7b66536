import { EOPNOTSUPP, NETLINK_KOBJECT_UEVENT } from '@tsv/abi';
import type { Nic } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { NetlinkProtocol } from './netlink-protocol.js';
import { sendToGroup } from './notify-group.js';

/** The group of what the kernel tells, as udev(7) listens to it. */
const GROUP_KERNEL = 1;

/** NETLINK_KOBJECT_UEVENT: tells of network devices, the only ones that come and go. Nothing can be asked. */
export const ueventProtocol: NetlinkProtocol = {
  groupCount: 32,
  handle: () => -EOPNOTSUPP,
};

/** Tells that a network device of `net` was added, is removed, or has another name than `oldName`. */
export function notifyUevent(net: NetNamespace, action: 'add' | 'remove' | 'move', nic: Nic, oldName?: string): void {
  const seqnum = net.takeUeventNumber();
  sendToGroup(net, NETLINK_KOBJECT_UEVENT, GROUP_KERNEL, () => {
    const path = `/devices/virtual/net/${nic.name}`;
    const fields = [`${action}@${path}`, `ACTION=${action}`, `DEVPATH=${path}`, 'SUBSYSTEM=net'];
    if (oldName !== undefined) fields.push(`DEVPATH_OLD=/devices/virtual/net/${oldName}`);
    fields.push(`INTERFACE=${nic.name}`, `IFINDEX=${nic.id}`, `SEQNUM=${seqnum}`);
    const text = fields.map((field) => `${field}\0`).join('');
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  });
}
