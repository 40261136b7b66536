// A stack of ours and Linux on the two ends of a cable, in the network namespace that this process runs in.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { FdWatcher, interfaceIndex, PacketFd } from '@tsv/host';
import { FdLink, IpAddress, parseLinkAddress, parsePrefix } from '@tsv/netstack';
import { StackDriver } from '@tsv/netstack/net';

const EPOLLIN = 1;
const EPOLLOUT = 4;
/** Our side's hardware address on a TAP. */
const TAP_ADDRESS = '02:00:00:00:00:02';

export function ip(...args) {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

export function sysctl(name, value) {
  writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, String(value));
}

/** Drives links from the event loop: receives when there is something, sends on when there is room again. */
export class LinkWatcher {
  #links = new Map();
  #next = 1;
  #watcher = new FdWatcher((token, events) => this.#ready(token, events));

  add(link, device) {
    const token = this.#next++;
    this.#links.set(token, { link, device });
    this.#watcher.add(device.fd, token, EPOLLIN);
    link.onBlocked = (isBlocked) => this.#watcher.modify(device.fd, token, isBlocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  close() {
    for (const { device } of this.#links.values()) {
      this.#watcher.remove(device.fd);
      device.close();
    }
    this.#links.clear();
    this.#watcher.close();
  }

  #ready(token, events) {
    const entry = this.#links.get(token);
    if (entry === undefined) return;
    if (events & EPOLLOUT) entry.link.flush();
    if (events & ~EPOLLOUT) entry.link.receive();
  }
}

/**
 * Makes the cable: `kind` is 'tap', 'tun' or 'veth' (a packet socket on one end of a pair). Linux has 10.77.N.1 and
 * fd77:N::1, the stack 10.77.N.2 and fd77:N::2.
 */
export function connectLinux(kind, { index = 0, mtu = 1500, wrap = (link) => link, stackOptions = {}, nic = {} } = {}) {
  const name = `tsv${kind}${index}`;
  let device;
  let linkAddress = null;
  let ours = name;
  if (kind === 'veth') {
    ours = `${name}p`;
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', ours);
    sysctl(`net.ipv6.conf.${ours}.disable_ipv6`, 1);
    ip('link', 'set', ours, 'mtu', String(mtu), 'up');
    linkAddress = parseLinkAddress(/link\/ether ([0-9a-f:]+)/.exec(ip('link', 'show', 'dev', ours))[1]);
    device = PacketFd.openSocket(interfaceIndex(ours));
  } else {
    device = kind === 'tap' ? PacketFd.openTap(name) : PacketFd.openTun(name);
    if (kind === 'tap') linkAddress = parseLinkAddress(TAP_ADDRESS);
  }
  if (typeof device === 'number') throw new Error(`Cannot open ${name}: errno ${-device}`);
  sysctl(`net.ipv6.conf.${name}.accept_dad`, 0);
  ip('link', 'set', name, 'mtu', String(mtu), 'up');
  ip('addr', 'add', `10.77.${index}.1/24`, 'dev', name);
  ip('addr', 'add', `fd77:${index}::1/64`, 'dev', name, 'nodad');

  const fdLink = new FdLink(device, { mtu, linkAddress, hasVirtioHeader: true });
  const driver = StackDriver.create({ dadTransmits: 0, ...stackOptions });
  const { stack } = driver;
  const addresses = [`10.77.${index}.2/24`, `fd77:${index}::2/64`].map(parsePrefix);
  const eth = stack.addNic('eth0', wrap(fdLink, driver), { addresses, ...nic });
  for (const [prefix, gateway] of [
    ['0.0.0.0/0', `10.77.${index}.1`],
    ['::/0', `fd77:${index}::1`],
  ]) {
    stack.routes.add({ destination: parsePrefix(prefix), nicId: eth.id, gateway: IpAddress.parse(gateway) });
  }
  const watcher = new LinkWatcher();
  watcher.add(fdLink, device);
  return {
    stack,
    nic: eth,
    link: fdLink,
    linux: name,
    linux4: `10.77.${index}.1`,
    linux6: `fd77:${index}::1`,
    ours4: `10.77.${index}.2`,
    ours6: `fd77:${index}::2`,
    close() {
      watcher.close();
      driver.close();
      // A TAP or TUN goes with its descriptor.
      if (kind === 'veth') ip('link', 'del', name);
    },
  };
}
