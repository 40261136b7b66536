import {
  AF_NETLINK,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
  NETLINK_GENERIC,
  NETLINK_KOBJECT_UEVENT,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
  MAX_LINKS,
  SOCK_DGRAM,
  SOCK_RAW,
  type Errno,
} from '@tsv/abi';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import type { Task } from '../../task/task.js';
import type { SocketFamily } from '../socket-families.js';
import type { SocketFile } from '../socket-file.js';
import { diagProtocol } from './diag/diag-protocol.js';
import { genericProtocol } from './generic-protocol.js';
import { netfilterProtocol } from './netfilter/netfilter-protocol.js';
import type { NetlinkProtocol } from './netlink-protocol.js';
import { NetlinkSocket } from './netlink-socket.js';
import { routeProtocol } from './route/route-protocol.js';
import { ueventProtocol } from './uevent.js';

const PROTOCOLS: ReadonlyMap<number, NetlinkProtocol> = new Map([
  [NETLINK_ROUTE, routeProtocol],
  [NETLINK_SOCK_DIAG, diagProtocol],
  [NETLINK_KOBJECT_UEVENT, ueventProtocol],
  [NETLINK_NETFILTER, netfilterProtocol],
  [NETLINK_GENERIC, genericProtocol],
]);

/** AF_NETLINK, netlink(7). */
export class NetlinkFamily implements SocketFamily {
  readonly family = AF_NETLINK;
  readonly name = 'NETLINK';
  readonly createPair = null;
  readonly #files: AnonymousFiles;

  constructor(files: AnonymousFiles) {
    this.#files = files;
  }

  /** Errors: EPROTONOSUPPORT, ESOCKTNOSUPPORT. */
  create(t: Task, type: number, protocol: number, flags: number): SocketFile | Errno {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    const handler = protocol < 0 || protocol >= MAX_LINKS ? undefined : PROTOCOLS.get(protocol);
    if (handler === undefined) return -EPROTONOSUPPORT;
    return new NetlinkSocket(this.#files, t.ns.net, type, protocol, flags, handler);
  }
}
