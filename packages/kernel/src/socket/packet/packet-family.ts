import { AF_PACKET, CAP_NET_RAW, EPERM, ESOCKTNOSUPPORT, SOCK_DGRAM, SOCK_RAW, type Errno } from '@tsv/abi';
import { PacketSocket } from '@tsv/netstack';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import type { Task } from '../../task/task.js';
import type { NetStacks } from '../inet/net-stacks.js';
import type { SocketFamily } from '../socket-families.js';
import type { SocketFile } from '../socket-file.js';
import { PacketSocketFile } from './packet-socket-file.js';

/** AF_PACKET, packet(7): for who has CAP_NET_RAW over the network namespace. */
export class PacketFamily implements SocketFamily {
  readonly family = AF_PACKET;
  readonly name = 'PACKET';
  readonly createPair = null;
  readonly #files: AnonymousFiles;
  readonly #stacks: NetStacks;

  constructor(files: AnonymousFiles, stacks: NetStacks) {
    this.#files = files;
    this.#stacks = stacks;
  }

  /** `protocol` is an EtherType in network order. Errors: EPERM, ESOCKTNOSUPPORT. */
  create(t: Task, type: number, protocol: number, flags: number): SocketFile | Errno {
    const { net } = t.ns;
    if (!t.creds.hasCapIn(net.userNs, CAP_NET_RAW)) return -EPERM;
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    const etherType = ((protocol & 0xff) << 8) | ((protocol >>> 8) & 0xff);
    const socket = new PacketSocket(this.#stacks.of(net), type === SOCK_DGRAM, etherType);
    return new PacketSocketFile(this.#files, net, socket, type, flags);
  }
}
