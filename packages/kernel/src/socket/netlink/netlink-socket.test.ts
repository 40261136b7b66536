import {
  AF_BRIDGE,
  AF_INET,
  AF_NETLINK,
  AF_UNSPEC,
  CLONE_NEWNET,
  EEXIST,
  EINVAL,
  ELOOP,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
  FRA_IIFNAME,
  FRA_PRIORITY,
  FRA_TABLE,
  FR_ACT_TO_TBL,
  IFA_LOCAL,
  IFF_UP,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_NET_NS_PID,
  NETLINK_GENERIC,
  NETLINK_KOBJECT_UEVENT,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_LEN,
  NLMSG_TYPE,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  RTA_DST,
  RTA_GATEWAY,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTM_SETLINK,
  RTM_TYPE,
  SIZEOF_NLMSGHDR,
  SOCK_RAW,
  SYS_recvfrom,
  SYS_sendto,
  SYS_socket,
  SYS_unshare,
  VETH_INFO_PEER,
} from '@tsv/abi';
import { Credentials } from '../../cred/credentials.js';
import type { Task } from '../../task/task.js';
import { DATA_ADDR, TestKernel } from '../../testing/test-kernel.js';
import { NetlinkWriter } from './netlink-writer.js';

const BUFFER = DATA_ADDR + 4096;
const BUFFER_BYTES = 32768;
const LO = 1;

let kernel: TestKernel;
let t: Task;
let fd: number;
beforeEach(() => {
  kernel = new TestKernel();
  t = kernel.spawn();
  fd = openSocket(NETLINK_ROUTE);
});

function openSocket(protocol: number, by = t): number {
  return kernel.call(by, SYS_socket, AF_NETLINK, SOCK_RAW, protocol);
}

/** Sends a message whose body `write` makes, and returns the types of the answers with where they are. */
function request(
  type: number,
  flags: number,
  write: (writer: NetlinkWriter) => void,
  by = t,
  socket = fd,
): { type: number; view: DataView; at: number }[] {
  const writer = new NetlinkWriter();
  writer.begin(type, NLM_F_REQUEST | flags, 1, 0);
  write(writer);
  writer.end();
  const bytes = writer.take();
  kernel.put(by, BUFFER, bytes);
  expect(kernel.call(by, SYS_sendto, socket, BUFFER, bytes.length, 0, 0, 0)).toBe(bytes.length);
  const answers = [];
  for (;;) {
    const len = kernel.call(by, SYS_recvfrom, socket, BUFFER, BUFFER_BYTES, 0x40, 0, 0);
    if (len < 0) return answers;
    const view = kernel.peek(by, BUFFER, len);
    for (let at = 0; at + SIZEOF_NLMSGHDR <= len; at += Math.ceil(view.getUint32(at + NLMSG_LEN, true) / 4) * 4) {
      answers.push({ type: view.getUint16(at + NLMSG_TYPE, true), view, at: at + SIZEOF_NLMSGHDR });
    }
  }
}

/** What a change is answered with: 0 or a negated errno. */
function change(type: number, flags: number, write: (writer: NetlinkWriter) => void, by = t, socket = fd): number {
  const [answer] = request(type, NLM_F_ACK | flags, write, by, socket);
  expect(answer!.type).toBe(NLMSG_ERROR);
  return answer!.view.getInt32(answer!.at, true);
}

function dump(type: number, family = AF_UNSPEC): number[] {
  return request(type, NLM_F_DUMP, (writer) => general(writer, family)).map((answer) => answer.type);
}

function general(writer: NetlinkWriter, family: number): void {
  const at = writer.extend(16);
  writer.view.setUint8(at, family);
}

/** An ifinfomsg. */
function link(writer: NetlinkWriter, index: number, flags = 0): void {
  const at = writer.extend(16);
  writer.view.setInt32(at + 4, index, true);
  writer.view.setUint32(at + 8, flags, true);
  writer.view.setUint32(at + 12, flags, true);
}

function createLink(kind: string, name: string, peer?: string): number {
  return change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
    link(writer, 0);
    writer.string(IFLA_IFNAME, name);
    const info = writer.nest(IFLA_LINKINFO);
    writer.string(IFLA_INFO_KIND, kind);
    if (peer !== undefined) {
      const data = writer.nest(IFLA_INFO_DATA);
      const end = writer.nest(VETH_INFO_PEER);
      link(writer, 0);
      writer.string(IFLA_IFNAME, peer);
      writer.endNest(end);
      writer.endNest(data);
    }
    writer.endNest(info);
  });
}

function addAddress(index: number, last: number): number {
  return change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
    const at = writer.extend(8);
    writer.view.setUint8(at, AF_INET);
    writer.view.setUint8(at + 1, 24);
    writer.view.setUint32(at + 4, index, true);
    writer.data(IFA_LOCAL, Uint8Array.of(10, 1, 1, last));
  });
}

function changeRoute(type: number, network: number, gateway: number | null): number {
  return change(type, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
    const at = writer.extend(12);
    writer.view.setUint8(at, AF_INET);
    writer.view.setUint8(at + 1, 16);
    writer.data(RTA_DST, Uint8Array.of(10, network, 0, 0));
    if (gateway !== null) writer.data(RTA_GATEWAY, Uint8Array.of(10, 1, 1, gateway));
  });
}

function stackNames(): string[] {
  return kernel.kernel.netStacks.of(t.ns.net).nics.map((nic) => nic.name);
}

describe('NETLINK_ROUTE, rtnetlink(7)', () => {
  it.each`
    what           | type            | answers
    ${'links'}     | ${RTM_GETLINK}  | ${[RTM_NEWLINK, NLMSG_DONE]}
    ${'addresses'} | ${RTM_GETADDR}  | ${[RTM_NEWADDR, RTM_NEWADDR, NLMSG_DONE]}
    ${'routes'}    | ${RTM_GETROUTE} | ${[RTM_NEWROUTE, RTM_NEWROUTE, NLMSG_DONE]}
    ${'rules'}     | ${RTM_GETRULE}  | ${[RTM_NEWRULE, RTM_NEWRULE, RTM_NEWRULE, RTM_NEWRULE, RTM_NEWRULE, NLMSG_DONE]}
  `('dumps the $what of a new sandbox', ({ type, answers }: { type: number; answers: number[] }) => {
    expect(dump(type)).toEqual(answers);
  });

  it('makes, moves and deletes both ends of a veth', () => {
    expect(createLink('veth', 'va', 'vb')).toBe(0);
    expect(stackNames()).toEqual(['lo', 'va', 'vb']);
    expect(createLink('veth', 'va', 'vc')).toBe(-EEXIST);
    expect(change(RTM_DELLINK, 0, (writer) => link(writer, 3))).toBe(0);
    expect(stackNames()).toEqual(['lo']);
  });

  it('joins two network namespaces', () => {
    const other = kernel.spawn();
    kernel.call(other, SYS_unshare, CLONE_NEWNET);
    const stack = kernel.kernel.netStacks.of(other.ns.net);
    expect(stack.loopback.isUp).toBe(false);
    createLink('veth', 'va', 'vb');
    const moved = change(RTM_SETLINK, 0, (writer) => {
      link(writer, 3);
      writer.u32(IFLA_NET_NS_PID, other.threadGroup.pidIn(t.pidNs));
    });
    expect([moved, stackNames(), stack.nics.map((nic) => nic.name)]).toEqual([0, ['lo', 'va'], ['lo', 'vb']]);
  });

  it('changes addresses and routes as the routing table allows', () => {
    createLink('dummy', 'd0');
    const results = [
      addAddress(2, 1),
      addAddress(2, 1),
      addAddress(9, 2),
      changeRoute(RTM_NEWROUTE, 99, 7),
      change(RTM_SETLINK, 0, (writer) => link(writer, 2, IFF_UP)),
      changeRoute(RTM_NEWROUTE, 99, 7),
      changeRoute(RTM_NEWROUTE, 99, 7),
      changeRoute(RTM_DELROUTE, 99, 7),
      changeRoute(RTM_DELROUTE, 99, 7),
    ];
    const ENETUNREACH = 101;
    expect(results).toEqual([0, -EEXIST, -ENODEV, -ENETUNREACH, 0, 0, -EEXIST, 0, -ESRCH]);
  });

  it.each`
    what                              | index | master | result
    ${'a dummy'}                      | ${2}  | ${3}   | ${0}
    ${'a dummy, by one that is none'} | ${2}  | ${2}   | ${-EOPNOTSUPP}
    ${'a dummy, by nobody'}           | ${2}  | ${77}  | ${-ENODEV}
    ${'the loopback device'}          | ${LO} | ${3}   | ${-EINVAL}
    ${'a bridge'}                     | ${4}  | ${3}   | ${-ELOOP}
  `('enslaves $what: $result', ({ index, master, result }: { index: number; master: number; result: number }) => {
    createLink('dummy', 'd0');
    createLink('bridge', 'br0');
    createLink('bridge', 'br1');
    const enslaved = change(RTM_SETLINK, 0, (writer) => {
      link(writer, index);
      writer.u32(IFLA_MASTER, master);
    });
    const ports = request(RTM_GETLINK, NLM_F_DUMP, (writer) => general(writer, AF_BRIDGE)).map(({ type }) => type);
    expect([enslaved, ports]).toEqual([result, result === 0 ? [RTM_NEWLINK, NLMSG_DONE] : [NLMSG_DONE]]);
  });

  it('lets the ports of a bridge go with it', () => {
    createLink('dummy', 'd0');
    createLink('bridge', 'br0');
    const enslave = (index: number): number =>
      change(RTM_SETLINK, 0, (writer) => {
        link(writer, 2);
        writer.u32(IFLA_MASTER, index);
      });
    const remove = change(RTM_DELLINK, 0, (writer) => link(writer, enslave(3) === 0 ? 3 : 0));
    expect([remove, dump(RTM_GETLINK, AF_BRIDGE), stackNames()]).toEqual([0, [NLMSG_DONE], ['lo', 'd0']]);
  });

  it('adds and removes rules, and asks the tables that they name', () => {
    const rule = (type: number, table: number, more: (writer: NetlinkWriter) => void = () => undefined): number =>
      change(type, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
        const at = writer.extend(12);
        writer.view.setUint8(at, AF_INET);
        writer.view.setUint8(at + RTM_TYPE, FR_ACT_TO_TBL);
        writer.u32(FRA_TABLE, table);
        more(writer);
      });
    const before = (writer: NetlinkWriter): void => writer.u32(FRA_PRIORITY, 10);
    const ofNobody = (writer: NetlinkWriter): void => writer.string(FRA_IIFNAME, 'nobody');
    expect([
      rule(RTM_NEWRULE, 1000, before),
      rule(RTM_NEWRULE, 1000, before),
      rule(RTM_NEWRULE, 5, ofNobody),
      dump(RTM_GETRULE, AF_INET).length,
      rule(RTM_DELRULE, 1001),
      rule(RTM_DELRULE, 1000),
      rule(RTM_DELRULE, 1000),
    ]).toEqual([0, -EEXIST, -EOPNOTSUPP, 5, -ENOENT, 0, -ENOENT]);
  });

  it('refuses what it does not know, and whoever is not the administrator', () => {
    expect(createLink('nonesuch', 'x0')).toBe(-EOPNOTSUPP);
    expect(change(RTM_DELLINK, 0, (writer) => link(writer, LO))).toBe(-EOPNOTSUPP);
    expect(change(RTM_DELLINK, 0, (writer) => link(writer, 77))).toBe(-ENODEV);
    expect(change(RTM_NEWADDR, 0, (writer) => writer.extend(4))).toBe(-EINVAL);
    const user = kernel.spawn(Credentials.forUser(kernel.kernel.userNs, 1000, 1000));
    const theirs = openSocket(NETLINK_ROUTE, user);
    expect(change(RTM_SETLINK, 0, (writer) => link(writer, LO), user, theirs)).toBe(-EPERM);
  });

  it('survives messages whose lengths lie', () => {
    for (const len of [0, 4, 15, 17, 0xffffffff]) {
      const bytes = new Uint8Array(64);
      new DataView(bytes.buffer).setUint32(0, len, true);
      new DataView(bytes.buffer).setUint16(4, RTM_NEWLINK, true);
      new DataView(bytes.buffer).setUint16(6, NLM_F_REQUEST, true);
      bytes.fill(0xff, 20);
      kernel.put(t, BUFFER, bytes);
      expect(kernel.call(t, SYS_sendto, fd, BUFFER, bytes.length, 0, 0, 0)).toBe(bytes.length);
    }
  });
});

describe('other protocols of netlink(7)', () => {
  it('are there, or EPROTONOSUPPORT', () => {
    const EPROTONOSUPPORT = 93;
    const opened = [NETLINK_SOCK_DIAG, NETLINK_GENERIC, NETLINK_KOBJECT_UEVENT].map((protocol) => openSocket(protocol));
    expect(opened.every((socket) => socket > 0)).toBe(true);
    expect([3, 31, 32, -1].map((protocol) => openSocket(protocol))).toEqual(new Array(4).fill(-EPROTONOSUPPORT));
  });
});
