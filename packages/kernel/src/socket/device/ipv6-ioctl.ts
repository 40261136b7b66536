import {
  CAP_NET_ADMIN,
  EADDRNOTAVAIL,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  EPERM,
  IFR6_ADDR,
  IFR6_IFINDEX,
  IFR6_PREFIXLEN,
  SIOCDIFADDR,
  SIOCSIFADDR,
  SIZEOF_IN6_IFREQ,
} from '@tsv/abi';
import { IpAddress, type Stack } from '@tsv/netstack';
import type { Caller } from '@tsv/vfs';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { callingTask } from '../../task/calling-task.js';

const PREFIX_LEN_MAX = 128;
const request = new Uint8Array(SIZEOF_IN6_IFREQ);
const view = new DataView(request.buffer);

/** Whether {@link changeIpv6Address} knows a request. */
export function isIpv6Ioctl(cmd: number): boolean {
  return cmd === SIOCSIFADDR || cmd === SIOCDIFADDR;
}

/**
 * SIOCSIFADDR and SIOCDIFADDR of AF_INET6 sockets, netdevice(7): gives a device an IPv6 address or takes it away. Errors:
 * EADDRNOTAVAIL, EEXIST, EFAULT, EINVAL, ENODEV, EPERM.
 */
export function changeIpv6Address(net: NetNamespace, stack: Stack, cmd: number, arg: number, caller: Caller): number {
  if (!callingTask(caller).creds.hasCapIn(net.userNs, CAP_NET_ADMIN)) return -EPERM;
  if (caller.memory.copyIn(request, 0, arg, SIZEOF_IN6_IFREQ) !== 0) return -EFAULT;
  const address = new IpAddress();
  address.loadIpv6(request, IFR6_ADDR);
  const prefixLen = view.getUint32(IFR6_PREFIXLEN, true);
  const nic = stack.nic(view.getInt32(IFR6_IFINDEX, true));
  if (prefixLen > PREFIX_LEN_MAX) return -EINVAL;
  if (nic === undefined) return -ENODEV;
  if (cmd === SIOCDIFADDR) {
    const entry = nic.findAddress(address);
    return entry?.prefixLen === prefixLen && nic.removeAddress(address) ? 0 : -EADDRNOTAVAIL;
  }
  if (address.isMulticast || address.isUnspecified || address.isIpv4) return -EADDRNOTAVAIL;
  return nic.addAddress({ address, prefixLen }) === null ? -EEXIST : 0;
}
