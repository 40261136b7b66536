import {
  AF_INET,
  AF_INET6,
  EADDRNOTAVAIL,
  EFAULT,
  EINVAL,
  ENOBUFS,
  ENODEV,
  IP_MSFILTER,
  MCAST_EXCLUDE,
  MCAST_INCLUDE,
  MCAST_MSFILTER,
  SIN6_ADDR,
  SIN_ADDR,
  SIZEOF_SOCKADDR_STORAGE,
  SOL_IP,
  SOL_IPV6,
} from '@tsv/abi';
import { Memberships, SourceFilter, type IpAddress, type Nic } from '@tsv/netstack';
import type { Task } from '../../task/task.js';
import type { InetSocket } from './inet-socket.js';
import { bytesOf, loadIpv4, loadStorage, nicOfInterface } from './membership-options.js';

/** `struct ip_msfilter`: group, address of the interface, mode, count of sources, sources. */
const IMSF_INTERFACE = 4;
const IMSF_FMODE = 8;
const IMSF_NUMSRC = 12;
const SIZEOF_IP_MSFILTER = 16;
/** `struct group_filter`: index of the interface, group, mode, count of sources, sources. */
const GF_GROUP = 8;
const GF_FMODE = 136;
const GF_NUMSRC = 140;
const SIZEOF_GROUP_FILTER = 144;
/** net.core.optmem_max: bytes of the longest value. */
const OPTION_BYTES_MAX = 131_072;

/** Which of the two structures an option has. */
class FilterLayout {
  readonly headerBytes: number;
  readonly sourceBytes: number;
  readonly modeAt: number;
  readonly countAt: number;
  readonly family: typeof AF_INET | typeof AF_INET6;
  readonly isStorage: boolean;

  constructor(level: number, name: number) {
    this.family = level === SOL_IP ? AF_INET : AF_INET6;
    this.isStorage = name === MCAST_MSFILTER;
    this.headerBytes = this.isStorage ? SIZEOF_GROUP_FILTER : SIZEOF_IP_MSFILTER;
    this.sourceBytes = this.isStorage ? SIZEOF_SOCKADDR_STORAGE : 4;
    this.modeAt = this.isStorage ? GF_FMODE : IMSF_FMODE;
    this.countAt = this.isStorage ? GF_NUMSRC : IMSF_NUMSRC;
  }

  /** The group; null if it is of another family. */
  group(view: DataView): IpAddress | null {
    return this.isStorage ? loadStorage(view, GF_GROUP, this.family) : loadIpv4(view, 0);
  }

  nic(file: InetSocket, view: DataView, group: IpAddress): Nic | undefined {
    if (!this.isStorage) return nicOfInterface(file, group, loadIpv4(view, IMSF_INTERFACE), 0);
    return file.memberships.nicFor(group, view.getUint32(0, true));
  }

  /** The sources; null if one is of another family. */
  sources(view: DataView, count: number): IpAddress[] | null {
    const sources: IpAddress[] = [];
    for (let i = 0; i < count; i++) {
      const at = this.headerBytes + i * this.sourceBytes;
      const source = this.isStorage ? loadStorage(view, at, this.family) : loadIpv4(view, at);
      if (source === null) return null;
      sources.push(source);
    }
    return sources;
  }

  storeSource(view: DataView, index: number, source: IpAddress): void {
    const at = this.headerBytes + index * this.sourceBytes;
    const bytes = bytesOf(view);
    bytes.fill(0, at, at + this.sourceBytes);
    if (!this.isStorage) return source.storeIpv4(bytes, at);
    view.setUint16(at, this.family, true);
    if (this.family === AF_INET) source.storeIpv4(bytes, at + SIN_ADDR);
    else source.storeIpv6(bytes, at + SIN6_ADDR);
  }
}

/** Whether an option is the filter of a group, IP_MSFILTER or MCAST_MSFILTER. */
export function isGroupFilterOption(file: InetSocket, level: number, name: number): boolean {
  if (level === SOL_IP) return name === IP_MSFILTER || name === MCAST_MSFILTER;
  return level === SOL_IPV6 && file.isIpv6 && name === MCAST_MSFILTER;
}

/**
 * setsockopt(2) of the filter of a group, ip(7). Errors: EADDRNOTAVAIL, EFAULT, EINVAL, ENOBUFS, ENODEV.
 */
export function setGroupFilter(
  file: InetSocket,
  level: number,
  name: number,
  addr: number,
  len: number,
  t: Task,
): number {
  const layout = new FilterLayout(level, name);
  if (len < layout.headerBytes) return -EINVAL;
  if (len > OPTION_BYTES_MAX) return -ENOBUFS;
  const value = new Uint8Array(len);
  const view = new DataView(value.buffer);
  if (t.mm.copyIn(value, 0, addr, len) !== 0) return -EFAULT;
  const count = view.getUint32(layout.countAt, true);
  if (count > sourceCountMax(layout.family)) return -ENOBUFS;
  if (layout.headerBytes + count * layout.sourceBytes > len) return -EINVAL;
  const group = layout.group(view);
  const sources = layout.sources(view, count);
  if (group === null || sources === null) return -EADDRNOTAVAIL;
  const mode = view.getUint32(layout.modeAt, true);
  if (!group.isMulticast || (mode !== MCAST_INCLUDE && mode !== MCAST_EXCLUDE)) return -EINVAL;
  const nic = layout.nic(file, view, group);
  if (nic === undefined) return -ENODEV;
  return file.memberships.setFilter(group, nic.id, new SourceFilter(mode === MCAST_EXCLUDE, sources));
}

/**
 * getsockopt(2) of the filter of a group, of which the value says which and how many sources there is room for. Returns
 * the length. Errors: EADDRNOTAVAIL, EFAULT, EINVAL, ENODEV.
 */
export function getGroupFilter(
  file: InetSocket,
  level: number,
  name: number,
  addr: number,
  len: number,
  t: Task,
): number {
  const layout = new FilterLayout(level, name);
  if (len < layout.headerBytes) return -EINVAL;
  const { family, headerBytes, sourceBytes } = layout;
  const view = new DataView(new ArrayBuffer(headerBytes + sourceCountMax(family) * sourceBytes));
  if (t.mm.copyIn(bytesOf(view), 0, addr, headerBytes) !== 0) return -EFAULT;
  const group = layout.group(view);
  if (group === null || !group.isMulticast) return -EINVAL;
  const nic = layout.nic(file, view, group);
  if (nic === undefined && !layout.isStorage) return -ENODEV;
  const filter = nic === undefined ? undefined : file.memberships.filterOf(group, nic.id);
  if (filter === undefined) return -EADDRNOTAVAIL;
  const room = view.getUint32(layout.countAt, true);
  view.setUint32(layout.modeAt, filter.isExclude ? MCAST_EXCLUDE : MCAST_INCLUDE, true);
  view.setUint32(layout.countAt, filter.sources.length, true);
  const copied = filter.sources.slice(0, room);
  copied.forEach((source, index) => {
    layout.storeSource(view, index, source);
  });
  const stored = headerBytes + copied.length * sourceBytes;
  return t.mm.copyOut(addr, bytesOf(view), 0, stored) !== 0 ? -EFAULT : stored;
}

function sourceCountMax(family: typeof AF_INET | typeof AF_INET6): number {
  return Memberships.sourceCountMax(family === AF_INET);
}
