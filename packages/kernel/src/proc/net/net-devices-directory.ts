import { EINVAL, ENOENT, IFF_LOWER_UP, IFF_RUNNING, S_IFDIR, S_IFLNK, type Errno } from '@tsv/abi';
import { formatLinkAddress, type Nic, type Stack } from '@tsv/netstack';
import {
  StaticSymlink,
  SyntheticDirectory,
  type DynamicEntrySink,
  type Inode,
  type SyntheticFileSystem,
} from '@tsv/vfs';
import { deviceFlags, deviceNamed, deviceQueueLen, deviceType } from '../../socket/device/net-device.js';
import type { VirtualLink } from '../../socket/device/virtual-links.js';
import { GeneratedFile, GeneratedSymlink } from '../generated-file.js';

const NO_ADDRESS = new Uint8Array(6);
const BROADCAST_ADDRESS = new Uint8Array(6).fill(0xff);
/** Inode numbers in listings. */
const DEVICE_INO_BASE = 0x5000_0000;
/** NET_NAME_PREDICTABLE and NET_NAME_USER: the name follows from what the device is, or a program gave it. */
const NAME_PREDICTABLE = 2;
const NAME_BY_USER = 3;
/** NET_ADDR_PERM and NET_ADDR_RANDOM. */
const ADDRESS_PERMANENT = 0;
const ADDRESS_RANDOM = 1;
/** Megabits a second that veth(4) tells. */
const ETHERNET_SPEED = 10_000;

/** What is known of an interface that a program made. */
export type VirtualFinder = (nic: Nic) => VirtualLink | undefined;

/** Names of the interfaces of a stack, as they are now. */
abstract class NetNamesDirectory extends SyntheticDirectory {
  readonly #stack: () => Stack;
  readonly #entries = new WeakMap<Nic, Inode>();

  constructor(fs: SyntheticFileSystem, stack: () => Stack) {
    super(fs);
    this.#stack = stack;
  }

  /** S_IFMT bits of the entries. */
  protected abstract readonly entryType: number;

  protected abstract createEntry(nic: Nic): Inode;

  protected override lookupDynamic(name: string): Inode | Errno {
    const nic = deviceNamed(this.#stack(), name);
    if (nic === undefined) return -ENOENT;
    const entry = this.#entries.get(nic) ?? this.createEntry(nic);
    this.#entries.set(nic, entry);
    return entry;
  }

  protected override listDynamic(fromKey: number, take: DynamicEntrySink): void {
    for (const { id, name } of this.#stack().nics) {
      if (id >= fromKey && !take(id, name, DEVICE_INO_BASE + id, this.entryType)) return;
    }
  }
}

/** /sys/class/net: a link for each interface. */
export class NetClassDirectory extends NetNamesDirectory {
  protected override readonly entryType = S_IFLNK;

  protected override createEntry(nic: Nic): Inode {
    return new GeneratedSymlink(this.fs, () => `../../devices/virtual/net/${nic.name}`);
  }
}

/** /sys/devices/virtual/net: a directory for each interface, Linux's Documentation/ABI/testing/sysfs-class-net. */
export class NetDevicesDirectory extends NetNamesDirectory {
  protected override readonly entryType = S_IFDIR;
  readonly #virtualOf: VirtualFinder;

  constructor(fs: SyntheticFileSystem, stack: () => Stack, virtualOf: VirtualFinder) {
    super(fs, stack);
    this.#virtualOf = virtualOf;
  }

  protected override createEntry(nic: Nic): Inode {
    const directory = new SyntheticDirectory(this.fs);
    const attributes = { ...identityOf(nic, this.#virtualOf(nic)), ...stateOf(nic) };
    for (const [name, value] of Object.entries(attributes)) directory.add(name, attribute(this.fs, value));
    const statistics = new SyntheticDirectory(this.fs);
    for (const [name, value] of Object.entries(statisticsOf(nic))) statistics.add(name, attribute(this.fs, value));
    directory.add('statistics', statistics);
    return directory.add('subsystem', new StaticSymlink(this.fs, '../../../../class/net'));
  }
}

type AttributeValue = () => string | number;

/** An attribute; one that does not apply cannot be read, which a negative number tells. */
function attribute(fs: SyntheticFileSystem, value: AttributeValue): GeneratedFile {
  return new GeneratedFile(fs, () => {
    const now = value();
    return typeof now === 'number' && now < 0 ? now : `${now}\n`;
  });
}

function identityOf(nic: Nic, virtual: VirtualLink | undefined): Record<string, AttributeValue> {
  const { linkAddress } = nic.link;
  const hasNoBroadcast = nic.isLoopback || linkAddress === null;
  return {
    addr_assign_type: () => (virtual === undefined ? ADDRESS_PERMANENT : ADDRESS_RANDOM),
    addr_len: () => NO_ADDRESS.length,
    address: () => formatLinkAddress(linkAddress ?? NO_ADDRESS),
    broadcast: () => formatLinkAddress(hasNoBroadcast ? NO_ADDRESS : BROADCAST_ADDRESS),
    dev_id: () => '0x0',
    dev_port: () => 0,
    ifalias: () => '',
    ifindex: () => nic.id,
    iflink: () => virtual?.peer?.nicId ?? nic.id,
    link_mode: () => 0,
    name_assign_type: () => (virtual === undefined ? NAME_PREDICTABLE : NAME_BY_USER),
    netdev_group: () => 0,
    proto_down: () => 0,
    tx_queue_len: () => deviceQueueLen(nic),
    type: () => deviceType(nic),
    uevent: () => `INTERFACE=${nic.name}\nIFINDEX=${nic.id}`,
  };
}

function stateOf(nic: Nic): Record<string, AttributeValue> {
  const whenUp = (value: number): number => (nic.isUp ? value : -EINVAL);
  const isEthernetUp = (): boolean => nic.isUp && nic.link.linkAddress !== null;
  return {
    carrier: () => whenUp(1),
    carrier_changes: () => 0,
    dormant: () => whenUp(0),
    duplex: () => (isEthernetUp() ? 'full' : -EINVAL),
    flags: () => `0x${(deviceFlags(nic) & ~(IFF_RUNNING | IFF_LOWER_UP)).toString(16)}`,
    mtu: () => nic.mtu,
    operstate: () => (!nic.isUp ? 'down' : nic.isLoopback ? 'unknown' : 'up'),
    speed: () => (isEthernetUp() ? ETHERNET_SPEED : -EINVAL),
    testing: () => whenUp(0),
  };
}

function statisticsOf({ stats }: Nic): Record<string, AttributeValue> {
  const none = [
    'collisions',
    'rx_compressed',
    'rx_crc_errors',
    'rx_fifo_errors',
    'rx_frame_errors',
    'rx_length_errors',
  ];
  none.push('rx_missed_errors', 'rx_nohandler', 'rx_over_errors', 'tx_aborted_errors', 'tx_carrier_errors');
  none.push('tx_compressed', 'tx_errors', 'tx_fifo_errors', 'tx_heartbeat_errors', 'tx_window_errors');
  return {
    ...Object.fromEntries(none.map((name) => [name, () => 0])),
    multicast: () => stats.multicast,
    rx_bytes: () => stats.rxBytes,
    rx_dropped: () => stats.rxDropped,
    rx_errors: () => stats.rxErrors,
    rx_packets: () => stats.rxPackets,
    tx_bytes: () => stats.txBytes,
    tx_dropped: () => stats.txDropped,
    tx_packets: () => stats.txPackets,
  };
}
