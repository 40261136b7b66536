import type { Nic, Stack } from '@tsv/netstack';
import { StaticSymlink, SyntheticDirectory, SyntheticFileSystem, type Inode } from '@tsv/vfs';
import type { Kernel } from '../kernel.js';
import type { NetNamespace } from '../namespace/net-namespace.js';
import type { VirtualLink } from '../socket/device/virtual-links.js';
import { GeneratedFile } from './generated-file.js';
import { NetClassDirectory, NetDevicesDirectory } from './net/net-devices-directory.js';
import { sysDeviceFiles } from './sys-devices.js';

/** SYSFS_MAGIC, statfs(2). */
const SYSFS_MAGIC = 0x62656572;

/** sysfs(5), as far as programs look for CPUs, memory, network interfaces and devices in it. */
export class SysFileSystem extends SyntheticFileSystem {
  readonly root: SyntheticDirectory;

  /** It shows the interfaces of `net`. */
  constructor(kernel: Kernel, net: NetNamespace, dev: number) {
    super({ typeName: 'sysfs', magic: SYSFS_MAGIC, dev, clock: kernel.clock, mustRevalidate: true });
    this.root = new SyntheticDirectory(this);
    for (const name of ['block', 'bus', 'class', 'dev', 'firmware', 'module', 'power']) this.#directory(name);
    for (const [path, text] of sysDeviceFiles(kernel)) this.#file(`devices/system/${path}`, text);
    const stack = (): Stack => kernel.netStacks.of(net);
    const virtualOf = ({ link }: Nic): VirtualLink | undefined => kernel.netStacks.virtualLinkOf(link);
    this.#at('devices/virtual').add('net', new NetDevicesDirectory(this, stack, virtualOf));
    this.#at('class').add('net', new NetClassDirectory(this, stack));
    this.#directory('fs/cgroup');
    this.#file('kernel/mm/transparent_hugepage/enabled', () => 'always [madvise] never\n');
    this.#file('kernel/mm/transparent_hugepage/hpage_pmd_size', () => '2097152\n');
    this.#directory('kernel/debug');
    this.#at('bus').add('cpu', new StaticSymlink(this, '../devices/system/cpu'));
  }

  #directory(path: string): void {
    this.#at(path);
  }

  #file(path: string, text: () => string): void {
    const cut = path.lastIndexOf('/');
    this.#at(path.slice(0, cut)).add(path.slice(cut + 1), new GeneratedFile(this, text));
  }

  #at(path: string): SyntheticDirectory {
    let directory = this.root;
    for (const word of path.split('/')) {
      let child: Inode | undefined = directory.get(word);
      if (child === undefined) {
        child = new SyntheticDirectory(this);
        directory.add(word, child);
      }
      if (!(child instanceof SyntheticDirectory)) throw new Error(`SysFileSystem: "${word}" is a file`);
      directory = child;
    }
    return directory;
  }
}
