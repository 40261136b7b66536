import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  IFA_ADDRESS,
  IFA_INDEX,
  IFA_LOCAL,
  IFA_PREFIXLEN,
  IFI_FLAGS,
  IFI_INDEX,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_MTU,
  NETLINK_ROUTE,
  NLA_TYPE_MASK,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_FLAGS,
  NLMSG_LEN,
  NLMSG_SEQ,
  NLMSG_TYPE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  RTA_DST,
  RTA_GATEWAY,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTM_DELADDR,
  RTM_DST_LEN,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTM_TABLE,
  RTM_TYPE,
  RT_TABLE_MAIN,
  SIZEOF_IFADDRMSG,
  SIZEOF_IFINFOMSG,
  SIZEOF_NLATTR,
  SIZEOF_NLMSGHDR,
  SIZEOF_RTMSG,
  SIZEOF_SOCKADDR_NL,
  SOCK_CLOEXEC,
  SOCK_RAW,
  errnoText,
} from '@tsv/abi';
import { LENGTH_COUNT, close, recvmsg, sendmsg, socket } from '@tsv/host';
import { IPV4_ANY, IPV6_ANY, IpAddress, RTN_UNICAST, type IpPrefix } from '@tsv/netstack';
import { SandboxError } from '../sandbox-error.js';

/** A network interface of the host. */
export interface HostLink {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  /** IFF_*. */
  readonly flags: number;
  readonly linkAddress: Uint8Array | null;
}

/** An address of an interface of the host. */
export interface HostAddress extends IpPrefix {
  readonly index: number;
}

/** A route of the host's main table. */
export interface HostRoute {
  readonly destination: IpPrefix;
  readonly index: number;
  readonly gateway: IpAddress | null;
  readonly source: IpAddress | null;
  readonly metric: number;
}

const REQUEST_BYTES = 64;
const ANSWER_BYTES = 65_536;
const LINK_ADDRESS_BYTES = 6;
const NO_BYTES = new Uint8Array(0);
const KERNEL = new Uint8Array(SIZEOF_SOCKADDR_NL);
KERNEL[0] = AF_NETLINK;

/** Asks the host's kernel about the network of the thread's namespace, rtnetlink(7). */
export class HostNetlink {
  readonly #fd: number;
  readonly #request = new Uint8Array(REQUEST_BYTES);
  readonly #requestView = new DataView(this.#request.buffer);
  readonly #answer = new Uint8Array(ANSWER_BYTES);
  readonly #answerView = new DataView(this.#answer.buffer);
  readonly #lengths = new Int32Array(LENGTH_COUNT);
  #seq = 0;

  /** Throws {@link SandboxError}. */
  constructor() {
    this.#fd = check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), 'make a netlink socket');
  }

  close(): void {
    close(this.#fd);
  }

  links(): HostLink[] {
    const found: HostLink[] = [];
    this.#dump(RTM_GETLINK, RTM_NEWLINK, SIZEOF_IFINFOMSG, (at, attributes) => {
      const link = attributes.get(IFLA_ADDRESS);
      found.push({
        index: this.#answerView.getInt32(at + IFI_INDEX, true),
        name: textOf(attributes.get(IFLA_IFNAME)),
        mtu: numberOf(attributes.get(IFLA_MTU)),
        flags: this.#answerView.getUint32(at + IFI_FLAGS, true),
        linkAddress: link?.length === LINK_ADDRESS_BYTES ? link : null,
      });
    });
    return found;
  }

  addresses(): HostAddress[] {
    const found: HostAddress[] = [];
    this.#dump(RTM_GETADDR, RTM_NEWADDR, SIZEOF_IFADDRMSG, (at, attributes) => {
      const address = addressOf(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
      if (address === null) return;
      const index = this.#answerView.getUint32(at + IFA_INDEX, true);
      found.push({ address, prefixLen: this.#answer[at + IFA_PREFIXLEN]!, index });
    });
    return found;
  }

  /** The unicast routes of the main table. */
  routes(): HostRoute[] {
    const found: HostRoute[] = [];
    this.#dump(RTM_GETROUTE, RTM_NEWROUTE, SIZEOF_RTMSG, (at, attributes) => {
      const family = this.#answer[at]!;
      const isUsable = this.#answer[at + RTM_TABLE] === RT_TABLE_MAIN && this.#answer[at + RTM_TYPE] === RTN_UNICAST;
      if (!isUsable || (family !== AF_INET && family !== AF_INET6)) return;
      const address = addressOf(attributes.get(RTA_DST)) ?? (family === AF_INET ? IPV4_ANY : IPV6_ANY);
      found.push({
        destination: { address, prefixLen: this.#answer[at + RTM_DST_LEN]! },
        index: numberOf(attributes.get(RTA_OIF)),
        gateway: addressOf(attributes.get(RTA_GATEWAY)),
        source: addressOf(attributes.get(RTA_PREFSRC)),
        metric: numberOf(attributes.get(RTA_PRIORITY)),
      });
    });
    return found;
  }

  /** Takes an address from its interface. Throws {@link SandboxError}. */
  removeAddress({ address, prefixLen, index }: HostAddress): void {
    const { byteCount } = address;
    const at = this.#begin(RTM_DELADDR, NLM_F_ACK, SIZEOF_IFADDRMSG);
    this.#request[at] = address.isIpv4 ? AF_INET : AF_INET6;
    this.#request[at + IFA_PREFIXLEN] = prefixLen;
    this.#requestView.setUint32(at + IFA_INDEX, index, true);
    const attributeAt = at + SIZEOF_IFADDRMSG;
    this.#requestView.setUint16(attributeAt, SIZEOF_NLATTR + byteCount, true);
    this.#requestView.setUint16(attributeAt + 2, IFA_LOCAL, true);
    if (address.isIpv4) address.storeIpv4(this.#request, attributeAt + SIZEOF_NLATTR);
    else address.storeIpv6(this.#request, attributeAt + SIZEOF_NLATTR);
    this.#send(attributeAt + SIZEOF_NLATTR + byteCount);
    this.#receive();
    check(this.#answerView.getInt32(SIZEOF_NLMSGHDR, true), `take ${String(address)} over`);
  }

  /** Asks for everything of a kind; `each` gets where a structure of `structBytes` is, and its attributes. */
  #dump(
    type: number,
    answerType: number,
    structBytes: number,
    each: (at: number, attributes: ReadonlyMap<number, Uint8Array>) => void,
  ): void {
    this.#begin(type, NLM_F_DUMP, structBytes);
    this.#send(SIZEOF_NLMSGHDR + structBytes);
    for (;;) {
      const len = this.#receive();
      for (let at = 0; at + SIZEOF_NLMSGHDR <= len;) {
        const messageLen = this.#answerView.getUint32(at + NLMSG_LEN, true);
        const messageType = this.#answerView.getUint16(at + NLMSG_TYPE, true);
        if (messageType === NLMSG_DONE || messageLen < SIZEOF_NLMSGHDR) return;
        const bodyAt = at + SIZEOF_NLMSGHDR;
        if (messageType === NLMSG_ERROR) check(this.#answerView.getInt32(bodyAt, true), 'ask for the network');
        if (messageType === answerType) each(bodyAt, this.#attributes(bodyAt + structBytes, at + messageLen));
        at += align(messageLen);
      }
    }
  }

  #begin(type: number, flags: number, structBytes: number): number {
    this.#request.fill(0);
    this.#requestView.setUint32(NLMSG_LEN, SIZEOF_NLMSGHDR + structBytes, true);
    this.#requestView.setUint16(NLMSG_TYPE, type, true);
    this.#requestView.setUint16(NLMSG_FLAGS, NLM_F_REQUEST | flags, true);
    this.#requestView.setUint32(NLMSG_SEQ, ++this.#seq, true);
    return SIZEOF_NLMSGHDR;
  }

  #send(len: number): void {
    this.#requestView.setUint32(NLMSG_LEN, len, true);
    check(sendmsg(this.#fd, this.#request, 0, len, KERNEL, NO_BYTES, 0), 'ask for the network');
  }

  #receive(): number {
    const { length } = this.#answer;
    const len = recvmsg(this.#fd, this.#answer, 0, length, NO_BYTES, NO_BYTES, this.#lengths, 0);
    return check(len, 'ask for the network');
  }

  #attributes(from: number, end: number): Map<number, Uint8Array> {
    const found = new Map<number, Uint8Array>();
    for (let at = from; at + SIZEOF_NLATTR <= end;) {
      const len = this.#answerView.getUint16(at, true);
      if (len < SIZEOF_NLATTR || at + len > end) break;
      const type = this.#answerView.getUint16(at + 2, true) & NLA_TYPE_MASK;
      found.set(type, this.#answer.slice(at + SIZEOF_NLATTR, at + len));
      at += align(len);
    }
    return found;
  }
}

function align(len: number): number {
  return Math.ceil(len / 4) * 4;
}

function check(result: number, what: string): number {
  if (result < 0) throw new SandboxError(`Cannot ${what}: ${errnoText(-result)}`);
  return result;
}

function addressOf(bytes: Uint8Array | undefined): IpAddress | null {
  return bytes?.length === 4 || bytes?.length === 16 ? IpAddress.fromBytes(bytes, 0, bytes.length) : null;
}

function numberOf(bytes: Uint8Array | undefined): number {
  return bytes?.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : 0;
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : String.fromCharCode(...bytes.filter((byte) => byte !== 0));
}
