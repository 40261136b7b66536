import {
  CAP_NET_ADMIN,
  EINVAL,
  NLA_ALIGN_BYTES,
  NLA_TYPE_MASK,
  NLM_F_DUMP,
  NLMSG_FLAGS,
  NLMSG_SEQ,
  NLMSG_TYPE,
  SIZEOF_NLATTR,
  SIZEOF_NLMSGHDR,
  type Errno,
} from '@tsv/abi';
import { IPV4_BYTES, IPV6_BYTES, IpAddress, type Stack } from '@tsv/netstack';
import type { BridgePorts } from '../device/bridge-ports.js';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { Task } from '../../task/task.js';

/** One attribute of a message: `len` bytes of it from `at` on. */
export interface Attribute {
  readonly at: number;
  readonly len: number;
}

/** A message that a program sent to the kernel, with what is needed to carry it out. Borrowed during the call. */
export class NetlinkRequest {
  readonly t: Task;
  readonly net: NetNamespace;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  /** Where the payload is. */
  readonly at: number;
  readonly end: number;

  /** A message of `len` bytes, checked to be at least a header, at `at`. */
  constructor(t: Task, net: NetNamespace, bytes: Uint8Array, at: number, len: number) {
    this.t = t;
    this.net = net;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.type = this.view.getUint16(at + NLMSG_TYPE, true);
    this.flags = this.view.getUint16(at + NLMSG_FLAGS, true);
    this.seq = this.view.getUint32(at + NLMSG_SEQ, true);
    this.at = at + SIZEOF_NLMSGHDR;
    this.end = at + len;
  }

  /** The stack of the namespace that the request is about. */
  get stack(): Stack {
    return this.t.kernel.netStacks.of(this.net);
  }

  /** Which devices are ports of bridges. */
  get bridgePorts(): BridgePorts {
    return this.t.kernel.netStacks.bridgePorts;
  }

  get payloadLen(): number {
    return this.end - this.at;
  }

  /** Asks for everything there is. */
  get isDump(): boolean {
    return (this.flags & NLM_F_DUMP) === NLM_F_DUMP;
  }

  /** `sa_family` that structures begin with. */
  get family(): number {
    return this.payloadLen > 0 ? this.bytes[this.at]! : 0;
  }

  /** Whether the caller may change the namespace's network. */
  get isAdmin(): boolean {
    return this.isAdminOf(this.net);
  }

  isAdminOf(net: NetNamespace): boolean {
    return this.t.creds.hasCapIn(net.userNs, CAP_NET_ADMIN);
  }

  /** The attributes behind a structure of `len` bytes, by type; the last of a type counts. Errors: EINVAL. */
  attributes(len: number): Map<number, Attribute> | Errno {
    return this.payloadLen < len ? -EINVAL : this.attributesBetween(this.at + len, this.end);
  }

  /** The attributes inside of another. */
  nested(attribute: Attribute): Map<number, Attribute> {
    return this.attributesBetween(attribute.at, attribute.at + attribute.len);
  }

  attributesBetween(from: number, end: number): Map<number, Attribute> {
    const found = new Map<number, Attribute>();
    for (let at = from; at + SIZEOF_NLATTR <= end;) {
      const len = this.view.getUint16(at, true);
      if (len < SIZEOF_NLATTR || at + len > end) break;
      const type = this.view.getUint16(at + 2, true) & NLA_TYPE_MASK;
      found.set(type, { at: at + SIZEOF_NLATTR, len: len - SIZEOF_NLATTR });
      at += Math.ceil(len / NLA_ALIGN_BYTES) * NLA_ALIGN_BYTES;
    }
    return found;
  }

  /** The number in an attribute; undefined if it is missing or too short. */
  u32(attribute: Attribute | undefined): number | undefined {
    return attribute === undefined || attribute.len < 4 ? undefined : this.view.getUint32(attribute.at, true);
  }

  /** Numbers in network order, as netfilter has them. */
  be16(attribute: Attribute | undefined): number | undefined {
    return attribute === undefined || attribute.len < 2 ? undefined : this.view.getUint16(attribute.at);
  }

  be32(attribute: Attribute | undefined): number | undefined {
    return attribute === undefined || attribute.len < 4 ? undefined : this.view.getUint32(attribute.at);
  }

  /** The byte string in an attribute, up to its NUL. */
  string(attribute: Attribute | undefined): string | undefined {
    if (attribute === undefined) return undefined;
    let text = '';
    for (let i = 0; i < attribute.len; i++) {
      const byte = this.bytes[attribute.at + i]!;
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** The IP address in an attribute; undefined if it is missing or has another length. */
  address(attribute: Attribute | undefined): IpAddress | undefined {
    if (attribute === undefined) return undefined;
    const { at, len } = attribute;
    return len === IPV4_BYTES || len === IPV6_BYTES ? IpAddress.fromBytes(this.bytes, at, len) : undefined;
  }
}
