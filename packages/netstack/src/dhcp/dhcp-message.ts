import { loadU16, loadU32, storeU16, storeU32 } from '../wire/byte-order.js';
import type { LinkAddress } from '../wire/ethernet.js';
import { IpAddress } from '../wire/ip-address.js';

/** DHCP messages, RFC 2131 section 2 and RFC 2132. */
export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

export const DHCPDISCOVER = 1;
export const DHCPOFFER = 2;
export const DHCPREQUEST = 3;
export const DHCPDECLINE = 4;
export const DHCPACK = 5;
export const DHCPNAK = 6;
export const DHCPRELEASE = 7;

const BOOTREQUEST = 1;
const BOOTREPLY = 2;
const HTYPE_ETHER = 1;
const FLAG_BROADCAST = 0x8000;
const MAGIC_COOKIE = 0x63825363;
const OPTIONS_AT = 240;
/** Messages of BOOTP have this size, and some servers drop shorter ones. */
const MESSAGE_BYTES_MIN = 300;

const XID = 4;
const FLAGS = 10;
const CIADDR = 12;
const YIADDR = 16;
const CHADDR = 28;
const COOKIE = 236;

const OPT_PAD = 0;
const OPT_SUBNET_MASK = 1;
const OPT_ROUTER = 3;
const OPT_DNS = 6;
const OPT_MTU = 26;
const OPT_REQUESTED_IP = 50;
const OPT_LEASE_TIME = 51;
const OPT_MESSAGE_TYPE = 53;
const OPT_SERVER_ID = 54;
const OPT_PARAMETERS = 55;
const OPT_RENEWAL_TIME = 58;
const OPT_REBINDING_TIME = 59;
const OPT_END = 255;

const DNS_SERVER_COUNT_MAX = 8;

/** What a request says. */
export interface DhcpRequest {
  readonly type: number;
  readonly xid: number;
  readonly link: LinkAddress;
  /** The client's address, if it has one. */
  readonly clientAddress: IpAddress | null;
  readonly requestedAddress: IpAddress | null;
  readonly server: IpAddress | null;
}

/** What a reply says. */
export interface DhcpReply {
  readonly type: number;
  readonly address: IpAddress;
  readonly server: IpAddress | null;
  readonly prefixLen: number;
  readonly router: IpAddress | null;
  readonly dnsServers: readonly IpAddress[];
  /** 0 if it says none. */
  readonly mtu: number;
  readonly leaseSec: number;
  /** T1 and T2 of RFC 2131 section 4.4.5. */
  readonly renewalSec: number;
  readonly rebindingSec: number;
}

export function makeDhcpRequest(request: DhcpRequest): Uint8Array {
  const { type, link, clientAddress, requestedAddress, server } = request;
  const message = new Uint8Array(MESSAGE_BYTES_MIN);
  message[0] = BOOTREQUEST;
  message[1] = HTYPE_ETHER;
  message[2] = link.length;
  storeU32(message, XID, request.xid);
  // Before it has its address the client may not get unicast packets.
  if (clientAddress === null) storeU16(message, FLAGS, FLAG_BROADCAST);
  else clientAddress.storeIpv4(message, CIADDR);
  message.set(link, CHADDR);
  storeU32(message, COOKIE, MAGIC_COOKIE);
  let at = OPTIONS_AT;
  const put = (option: number, value: ArrayLike<number>): void => {
    message.set([option, value.length], at);
    message.set(value, at + 2);
    at += 2 + value.length;
  };
  put(OPT_MESSAGE_TYPE, [type]);
  if (requestedAddress !== null) put(OPT_REQUESTED_IP, ipv4Bytes(requestedAddress));
  if (server !== null) put(OPT_SERVER_ID, ipv4Bytes(server));
  // RFC 2131 table 5: who gives an address back asks for nothing.
  if (type !== DHCPRELEASE && type !== DHCPDECLINE)
    put(OPT_PARAMETERS, [OPT_SUBNET_MASK, OPT_ROUTER, OPT_DNS, OPT_MTU, OPT_RENEWAL_TIME, OPT_REBINDING_TIME]);
  message[at] = OPT_END;
  return message;
}

/** Reads a reply to the request with `xid` from `link`; undefined if it is none, or says what cannot be. */
export function parseDhcpReply(message: Uint8Array, xid: number, link: LinkAddress): DhcpReply | undefined {
  if (message.length < OPTIONS_AT || message[0] !== BOOTREPLY || loadU32(message, XID) !== xid) return undefined;
  if (loadU32(message, COOKIE) !== MAGIC_COOKIE || link.some((byte, i) => message[CHADDR + i] !== byte))
    return undefined;
  const options = readOptions(message);
  const type = options?.get(OPT_MESSAGE_TYPE)?.[0];
  if (options === undefined || type === undefined) return undefined;
  const address = IpAddress.fromBytes(message, YIADDR, 4);
  const leaseSec = u32Of(options.get(OPT_LEASE_TIME), 0);
  const prefixLen = prefixLenOf(options.get(OPT_SUBNET_MASK), address);
  const isLease = type === DHCPOFFER || type === DHCPACK;
  if (isLease && (!isHostAddress(address) || leaseSec === 0 || prefixLen < 0)) return undefined;
  const mtu = options.get(OPT_MTU);
  return {
    type,
    address,
    prefixLen,
    leaseSec,
    server: addressesOf(options.get(OPT_SERVER_ID))[0] ?? null,
    router: addressesOf(options.get(OPT_ROUTER))[0] ?? null,
    dnsServers: addressesOf(options.get(OPT_DNS)).slice(0, DNS_SERVER_COUNT_MAX),
    mtu: mtu?.length === 2 ? loadU16(mtu, 0) : 0,
    renewalSec: Math.min(u32Of(options.get(OPT_RENEWAL_TIME), leaseSec * 0.5), leaseSec),
    rebindingSec: Math.min(u32Of(options.get(OPT_REBINDING_TIME), leaseSec * 0.875), leaseSec),
  };
}

function readOptions(message: Uint8Array): Map<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  for (let at = OPTIONS_AT; at < message.length;) {
    const option = message[at]!;
    if (option === OPT_END) return options;
    if (option === OPT_PAD) {
      at++;
      continue;
    }
    const len = message[at + 1];
    if (len === undefined || at + 2 + len > message.length) return undefined;
    options.set(option, message.subarray(at + 2, at + 2 + len));
    at += 2 + len;
  }
  return options;
}

function u32Of(value: Uint8Array | undefined, fallback: number): number {
  return value?.length === 4 ? loadU32(value, 0) : fallback;
}

function addressesOf(value: Uint8Array | undefined): IpAddress[] {
  const addresses: IpAddress[] = [];
  for (let at = 0; value !== undefined && at + 4 <= value.length; at += 4) {
    addresses.push(IpAddress.fromBytes(value, at, 4));
  }
  return addresses;
}

/** The length of a mask's prefix, by class if there is no mask; -1 if it is no prefix. */
function prefixLenOf(mask: Uint8Array | undefined, address: IpAddress): number {
  if (mask?.length !== 4) return address.w3 >= 0 ? 8 : address.w3 >>> 30 === 2 ? 16 : 24;
  const len = Math.clz32(~loadU32(mask, 0));
  return loadU32(mask, 0) === (len === 0 ? 0 : (-1 << (32 - len)) >>> 0) ? len : -1;
}

function isHostAddress(address: IpAddress): boolean {
  return !address.isUnspecified && !address.isLoopback && !address.isMulticast && !address.isLimitedBroadcast;
}

function ipv4Bytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(4);
  address.storeIpv4(bytes, 0);
  return bytes;
}
