import { SPEC_VERSION, type Mount, type Spec } from '@tsv/oci';
import { CAPABILITY_NAMES } from '@tsv/abi';

/** What `tsv do` and a `tsv run` without a bundle run. */
export interface HostFilesOptions {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
  /** Root filesystem; the host's by default. */
  readonly rootDir?: string;
  readonly uid?: number;
  /** What is mounted beside: directories and files of the host, by absolute paths. */
  readonly volumes?: readonly Volume[];
}

/** A directory or file of the host that is to be at `destination`. */
export interface Volume {
  readonly source: string;
  readonly destination: string;
  readonly isReadOnly: boolean;
}

/** Mounts that programs expect beside the files of a distribution. */
const MOUNTS: readonly Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'nodev', 'mode=1777'] },
];

/** The configuration of a container over a root filesystem of the host, as its user and with its environment. */
export function hostFilesConfig(options: HostFilesOptions): Spec {
  const uid = options.uid ?? process.getuid?.() ?? 0;
  const gid = uid === process.getuid?.() ? (process.getgid?.() ?? 0) : uid;
  const caps = uid === 0 ? [...CAPABILITY_NAMES] : [];
  return {
    ociVersion: SPEC_VERSION,
    process: {
      terminal: options.isTerminal,
      user: { uid, gid, additionalGids: uid === process.getuid?.() ? (process.getgroups?.() ?? []) : [] },
      args: [...options.argv],
      env: Object.entries(options.env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
      cwd: options.cwd,
      capabilities: { bounding: [...CAPABILITY_NAMES], effective: caps, permitted: caps },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024 * 1024, hard: 1024 * 1024 }],
    },
    root: { path: options.rootDir ?? '/', readonly: false },
    hostname: 'tsv',
    mounts: [...MOUNTS, ...(options.volumes ?? []).map(volumeMount)],
    linux: { namespaces: ['network', 'ipc', 'uts', 'mount'].map((type) => ({ type: type as 'pid' })) },
  };
}

function volumeMount({ source, destination, isReadOnly }: Volume): Mount {
  return { destination, type: 'bind', source, options: ['rbind', isReadOnly ? 'ro' : 'rw'] };
}
