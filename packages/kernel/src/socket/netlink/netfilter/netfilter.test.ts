import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_UNSPEC,
  CTA_ID,
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_MARK,
  CTA_MARK_MASK,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_NUM,
  CTA_PROTO_SRC_PORT,
  CTA_TIMEOUT,
  CTA_TUPLE_IP,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_PROTO,
  EEXIST,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPCTNL_MSG_CT_GET_DYING,
  IPCTNL_MSG_CT_NEW,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_NETFILTER,
  NFNLGRP_CONNTRACK_NEW,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  NLMSG_DONE,
  SIZEOF_NLMSGHDR,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_NETLINK,
  SYS_recvfrom,
  SYS_sendto,
  SYS_setsockopt,
  SYS_socket,
} from '@tsv/abi';
import { IPPROTO_UDP, Netfilter, type Flow } from '@tsv/netstack';
import { Credentials } from '../../../cred/credentials.js';
import type { Task } from '../../../task/task.js';
import { DATA_ADDR, TestKernel } from '../../../testing/test-kernel.js';
import { NetlinkWriter } from '../netlink-writer.js';

const BUFFER = DATA_ADDR + 4096;
const BUFFER_BYTES = 16384;
const PORT = 5454;
/** A message of nf_tables, as `nft` begins with: NFT_MSG_GETGEN. */
const NFT_MSG_GETGEN = (10 << 8) | 16;

let kernel: TestKernel;
let t: Task;
let fd: number;
let netfilter: Netfilter;
beforeEach(() => {
  kernel = new TestKernel();
  t = kernel.spawn();
  const stack = kernel.kernel.netStacks.of(t.ns.net);
  netfilter = new Netfilter(stack);
  stack.filter = t.ns.net.netfilter = netfilter;
  fd = kernel.call(t, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
});

/** A datagram to a port of the loopback address makes a flow, which is returned. */
function sendDatagram(): Flow {
  const socket = kernel.call(t, SYS_socket, AF_INET, SOCK_DGRAM, 0);
  const address = Uint8Array.from([AF_INET, 0, PORT >> 8, PORT & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  kernel.call(t, SYS_sendto, socket, BUFFER, 1, 0, kernel.put(t, DATA_ADDR, address), 16);
  return [...netfilter.conntrack.flows()][0]!;
}

/** Sends a message; returns the errors in its answers, and the types of the others. */
function ask(type: number, flags: number, write: (writer: NetlinkWriter) => void, family = AF_INET): number[] {
  const writer = new NetlinkWriter();
  writer.begin(type, NLM_F_REQUEST | flags, 1, 0);
  writer.view.setUint8(writer.extend(4), family);
  write(writer);
  writer.end();
  const bytes = writer.take();
  kernel.call(t, SYS_sendto, fd, kernel.put(t, BUFFER, bytes), bytes.length, 0, 0, 0);
  const answers: number[] = [];
  for (;;) {
    const len = kernel.call(t, SYS_recvfrom, fd, BUFFER, BUFFER_BYTES, 0x40, 0, 0);
    if (len < 0) return answers;
    const view = kernel.peek(t, BUFFER, len);
    for (let at = 0; at < len; at += Math.ceil(view.getUint32(at, true) / 4) * 4) {
      const answerType = view.getUint16(at + 4, true);
      answers.push(answerType === 2 ? view.getInt32(at + SIZEOF_NLMSGHDR, true) : answerType);
    }
  }
}

const CT = (type: number): number => (NFNL_SUBSYS_CTNETLINK << 8) | type;
const FLOW = CT(IPCTNL_MSG_CT_NEW);
const nothing = (): undefined => undefined;

function change(type: number, flags: number, write: (writer: NetlinkWriter) => void): number {
  return ask(CT(type), flags | NLM_F_ACK, write)[0]!;
}

function tuple(writer: NetlinkWriter, flow: Flow): void {
  const { src, dst, srcPort, dstPort } = flow.original.tuple;
  const at = writer.nest(CTA_TUPLE_ORIG);
  const ip = writer.nest(CTA_TUPLE_IP);
  writer.address(CTA_IP_V4_SRC, src);
  writer.address(CTA_IP_V4_DST, dst);
  writer.endNest(ip);
  const protocol = writer.nest(CTA_TUPLE_PROTO);
  writer.u8(CTA_PROTO_NUM, IPPROTO_UDP);
  writer.be16(CTA_PROTO_SRC_PORT, srcPort);
  writer.be16(CTA_PROTO_DST_PORT, dstPort);
  writer.endNest(protocol);
  writer.endNest(at);
}

describe('NETLINK_NETFILTER, tracked connections', () => {
  it('dumps those of a family, or of all', () => {
    sendDatagram();
    const dump = (family: number): number[] => ask(CT(IPCTNL_MSG_CT_GET), NLM_F_DUMP, nothing, family);
    expect(dump(AF_UNSPEC)).toEqual([FLOW, NLMSG_DONE]);
    expect(dump(AF_INET)).toEqual([FLOW, NLMSG_DONE]);
    expect(dump(AF_INET6)).toEqual([NLMSG_DONE]);
  });

  it('dumps those with a mark', () => {
    sendDatagram().mark = 5;
    const dump = (mark: number, mask: number): number[] =>
      ask(CT(IPCTNL_MSG_CT_GET), NLM_F_DUMP, (writer) => {
        writer.be32(CTA_MARK, mark);
        writer.be32(CTA_MARK_MASK, mask);
      });
    expect([dump(5, 0xff), dump(1, 1), dump(6, 0xff)]).toEqual([[FLOW, NLMSG_DONE], [FLOW, NLMSG_DONE], [NLMSG_DONE]]);
  });

  it('is an empty table where nothing is tracked', () => {
    t.ns.net.netfilter = null;
    expect(ask(CT(IPCTNL_MSG_CT_GET), NLM_F_DUMP, nothing)).toEqual([NLMSG_DONE]);
    expect(change(IPCTNL_MSG_CT_DELETE, 0, nothing)).toBe(0);
  });

  it('finds and deletes one by its tuple', () => {
    const flow = sendDatagram();
    const write = (writer: NetlinkWriter): void => tuple(writer, flow);
    expect(ask(CT(IPCTNL_MSG_CT_GET), 0, write)).toEqual([FLOW]);
    expect(change(IPCTNL_MSG_CT_DELETE, 0, write)).toBe(0);
    expect(change(IPCTNL_MSG_CT_DELETE, 0, write)).toBe(-ENOENT);
  });

  it('deletes one with another number not', () => {
    const flow = sendDatagram();
    const status = change(IPCTNL_MSG_CT_DELETE, 0, (writer) => {
      tuple(writer, flow);
      writer.be32(CTA_ID, flow.id + 1);
    });
    expect([status, netfilter.conntrack.count]).toEqual([-ENOENT, 1]);
  });

  it('deletes all of a family without a tuple', () => {
    sendDatagram();
    ask(CT(IPCTNL_MSG_CT_DELETE), NLM_F_ACK, nothing, AF_INET6);
    expect(netfilter.conntrack.count).toBe(1);
    ask(CT(IPCTNL_MSG_CT_DELETE), NLM_F_ACK, nothing, AF_UNSPEC);
    expect(netfilter.conntrack.count).toBe(0);
  });

  it('changes mark and lifetime', () => {
    const flow = sendDatagram();
    flow.mark = 0xf0;
    const status = change(IPCTNL_MSG_CT_NEW, 0, (writer) => {
      tuple(writer, flow);
      writer.be32(CTA_MARK, 0x05);
      writer.be32(CTA_MARK_MASK, 0x0f);
      writer.be32(CTA_TIMEOUT, 500);
    });
    expect([status, flow.mark]).toEqual([0, 0xf5]);
    kernel.advance(499_000);
    expect(netfilter.conntrack.flowOfTuple(flow.original.tuple)).toBe(flow);
  });

  it('makes none, nor one that is there', () => {
    const flow = sendDatagram();
    const write = (writer: NetlinkWriter): void => tuple(writer, flow);
    expect(change(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, write)).toBe(-EEXIST);
    netfilter.conntrack.delete(flow);
    expect(change(IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, write)).toBe(-EOPNOTSUPP);
    expect(change(IPCTNL_MSG_CT_NEW, 0, write)).toBe(-ENOENT);
  });

  it('has no dying ones to tell of', () => {
    expect(ask(CT(IPCTNL_MSG_CT_GET_DYING), NLM_F_DUMP, nothing)).toEqual([NLMSG_DONE]);
  });

  it.each<[string, (writer: NetlinkWriter) => void]>([
    ['no tuple', nothing],
    ['an empty tuple', (writer) => writer.endNest(writer.nest(CTA_TUPLE_ORIG))],
    [
      'addresses of two families',
      (writer) => {
        const at = writer.nest(CTA_TUPLE_ORIG);
        const ip = writer.nest(CTA_TUPLE_IP);
        writer.data(CTA_IP_V4_SRC, new Uint8Array(4));
        writer.data(CTA_IP_V4_DST, new Uint8Array(16));
        writer.endNest(ip);
        const protocol = writer.nest(CTA_TUPLE_PROTO);
        writer.u8(CTA_PROTO_NUM, IPPROTO_UDP);
        writer.endNest(protocol);
        writer.endNest(at);
      },
    ],
    ['a tuple that is cut short', (writer) => writer.data(CTA_TUPLE_ORIG, Uint8Array.of(1, 0))],
  ])('refuses a question with %s', (_what, write) => {
    expect(change(IPCTNL_MSG_CT_GET, 0, write)).toBe(-EINVAL);
  });
});

describe('NETLINK_NETFILTER, what is refused', () => {
  it('nf_tables', () => expect(ask(NFT_MSG_GETGEN, NLM_F_ACK, nothing)).toEqual([-EOPNOTSUPP]));

  it('all to who may not change the network', () => {
    t = kernel.spawn(Credentials.forUser(kernel.kernel.userNs, 1000, 1000));
    fd = kernel.call(t, SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    expect(change(IPCTNL_MSG_CT_GET, 0, nothing)).toBe(-EPERM);
    const group = kernel.put(t, BUFFER, Uint8Array.of(NFNLGRP_CONNTRACK_NEW, 0, 0, 0));
    expect(kernel.call(t, SYS_setsockopt, fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, 4)).toBe(-EPERM);
  });
});
