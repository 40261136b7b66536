import { CAPABILITY_NAMES } from '@tsv/abi';
import { SPEC_VERSION } from '@tsv/oci';
import type { CommandRun } from '../command.js';

/** Mount options that are honoured, of the list in mount(8). */
const MOUNT_OPTIONS =
  'async atime bind defaults dev diratime dirsync exec noatime nodev nodiratime noexec norelatime nosuid private rbind ' +
  'relatime ro rprivate rw strictatime suid sync';

/** `tsv features`: what an engine may ask for, features.md of the runtime-spec. */
export const run: CommandRun = () => {
  const features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPEC_VERSION,
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: MOUNT_OPTIONS.split(' '),
    linux: {
      namespaces: ['ipc', 'mount', 'network', 'pid', 'user', 'uts'],
      capabilities: CAPABILITY_NAMES,
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      apparmor: { enabled: false },
      selinux: { enabled: false },
    },
  };
  process.stdout.write(`${JSON.stringify(features, null, 2)}\n`);
  return Promise.resolve(0);
};
