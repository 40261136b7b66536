import {
  NLA_ALIGN_BYTES,
  NLA_F_NESTED,
  NLMSG_FLAGS,
  NLMSG_LEN,
  NLMSG_PID,
  NLMSG_SEQ,
  NLMSG_TYPE,
  SIZEOF_NLATTR,
  SIZEOF_NLMSGHDR,
} from '@tsv/abi';
import { IPV4_BYTES, IPV6_BYTES, type IpAddress } from '@tsv/netstack';

const CAPACITY_BYTES_MIN = 1024;

/**
 * Writes netlink messages one behind the other, netlink(7): a header, a structure, attributes. What is added may move
 * the bytes: {@link bytes} and {@link view} are looked up after it.
 */
export class NetlinkWriter {
  bytes = new Uint8Array(CAPACITY_BYTES_MIN);
  view = new DataView(this.bytes.buffer);
  /** Bytes written. */
  len = 0;
  #messageAt = 0;

  /** Begins a message. */
  begin(type: number, flags: number, seq: number, pid: number): void {
    this.#messageAt = this.extend(SIZEOF_NLMSGHDR);
    this.view.setUint16(this.#messageAt + NLMSG_TYPE, type, true);
    this.view.setUint16(this.#messageAt + NLMSG_FLAGS, flags, true);
    this.view.setUint32(this.#messageAt + NLMSG_SEQ, seq, true);
    this.view.setUint32(this.#messageAt + NLMSG_PID, pid, true);
  }

  /** Ends the message that {@link begin} began. */
  end(): void {
    this.view.setUint32(this.#messageAt + NLMSG_LEN, this.len - this.#messageAt, true);
  }

  /** Adds `len` zero bytes, and padding behind them; returns where they are. */
  extend(len: number): number {
    const at = this.len;
    const end = at + Math.ceil(len / NLA_ALIGN_BYTES) * NLA_ALIGN_BYTES;
    if (end > this.bytes.length) this.#grow(end);
    this.bytes.fill(0, at, end);
    this.len = end;
    return at;
  }

  /** Adds an attribute with room for `len` bytes; returns where they are. */
  attribute(type: number, len: number): number {
    const at = this.extend(SIZEOF_NLATTR + len);
    this.view.setUint16(at, SIZEOF_NLATTR + len, true);
    this.view.setUint16(at + 2, type, true);
    return at + SIZEOF_NLATTR;
  }

  u8(type: number, value: number): void {
    const at = this.attribute(type, 1);
    this.view.setUint8(at, value);
  }

  u16(type: number, value: number): void {
    const at = this.attribute(type, 2);
    this.view.setUint16(at, value, true);
  }

  u32(type: number, value: number): void {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value, true);
  }

  /** Numbers in network order, as netfilter has them. */
  be16(type: number, value: number): void {
    const at = this.attribute(type, 2);
    this.view.setUint16(at, value);
  }

  be32(type: number, value: number): void {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value);
  }

  /** A byte string and its NUL. */
  string(type: number, text: string): void {
    const at = this.attribute(type, text.length + 1);
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
  }

  data(type: number, bytes: Uint8Array): void {
    const at = this.attribute(type, bytes.length);
    this.bytes.set(bytes, at);
  }

  /** An address of either family, as it is on the wire. */
  address(type: number, address: IpAddress): void {
    const at = this.attribute(type, address.isIpv4 ? IPV4_BYTES : IPV6_BYTES);
    if (address.isIpv4) address.storeIpv4(this.bytes, at);
    else address.storeIpv6(this.bytes, at);
  }

  /** Begins an attribute that holds attributes; give the result to {@link endNest}. */
  nest(type: number): number {
    return this.attribute(type | NLA_F_NESTED, 0) - SIZEOF_NLATTR;
  }

  endNest(at: number): void {
    this.view.setUint16(at, this.len - at, true);
  }

  /** Takes what was written away. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.len);
    this.len = 0;
    return taken;
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
