import { CAP_NET_ADMIN, EFAULT, ENOMEM, EPERM, SOCK_RAW, SOL_IP, SOL_IPV6 } from '@tsv/abi';
import { IptablesSockopt, Netfilter } from '@tsv/netstack';
import type { Task } from '../../task/task.js';
import { ConntrackEvents } from '../netlink/netfilter/conntrack-events.js';
import type { InetSocket } from './inet-socket.js';

/** Bytes of a table that one call may bring. */
const VALUE_BYTES_MAX = 4 * 1024 * 1024;

/** Whether an option is one of iptables(8), which raw sockets have: others know the numbers by other meanings. */
export function isIptablesOption(file: InetSocket, level: number, name: number): boolean {
  return level === (file.isIpv6 ? SOL_IPV6 : SOL_IP) && IptablesSockopt.knows(name) && file.type === SOCK_RAW;
}

/**
 * getsockopt(2) of iptables: the value says what is asked for, and is where the answer goes. Returns the length of the
 * answer. Errors: EFAULT, ENOMEM, EPERM, and what the tables say.
 */
export function getIptables(file: InetSocket, name: number, addr: number, len: number, t: Task): number {
  const value = loadValue(file, addr, len, t);
  if (typeof value === 'number') return value;
  const stored = sockoptOf(file).get(name, value);
  if (stored < 0) return stored;
  return t.mm.copyOut(addr, value, 0, Math.min(stored, value.length)) !== 0 ? -EFAULT : stored;
}

/** setsockopt(2) of iptables. Errors: as {@link getIptables}. */
export function setIptables(file: InetSocket, name: number, addr: number, len: number, t: Task): number {
  const value = loadValue(file, addr, len, t);
  if (typeof value === 'number') return value;
  const copyOut = (to: number, bytes: Uint8Array): number => t.mm.copyOut(to, bytes, 0, bytes.length);
  const status = sockoptOf(file).set(name, value, copyOut);
  // Packets are shown to the tables from the first change on: without one there is nothing in them.
  if (status === 0) file.stack.filter ??= netfilterOf(file);
  return status;
}

function loadValue(file: InetSocket, addr: number, len: number, t: Task): Uint8Array | number {
  if (!t.creds.hasCapIn(file.net.userNs, CAP_NET_ADMIN)) return -EPERM;
  if (len > VALUE_BYTES_MAX) return -ENOMEM;
  const value = new Uint8Array(len);
  return len > 0 && t.mm.copyIn(value, 0, addr, len) !== 0 ? -EFAULT : value;
}

function sockoptOf(file: InetSocket): IptablesSockopt {
  return new IptablesSockopt(netfilterOf(file), file.isIpv6 ? 6 : 4);
}

function netfilterOf(file: InetSocket): Netfilter {
  const { net } = file;
  if (net.netfilter !== null) return net.netfilter;
  net.netfilter = new Netfilter(file.stack);
  net.netfilter.conntrack.listener = new ConntrackEvents(net);
  return net.netfilter;
}
