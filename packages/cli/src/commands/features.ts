import { CAPABILITY_NAMES } from '@tsv/abi';
import { SECCOMP_FEATURES, mountOptionNames } from '@tsv/boot/client';
import { SPEC_VERSION } from '@tsv/oci';
import type { CommandRun } from '../command.js';

/** `tsv features`: what an engine may ask for, features.md of the runtime-spec. */
export const run: CommandRun = () => {
  const features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPEC_VERSION,
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts'],
      capabilities: CAPABILITY_NAMES,
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      // With --oci-seccomp.
      seccomp: { enabled: true, ...SECCOMP_FEATURES },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
    },
  };
  process.stdout.write(`${JSON.stringify(features, null, 2)}\n`);
  return Promise.resolve(0);
};
