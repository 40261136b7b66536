// The MUSTs of the OCI runtime specification 1.2, config.md and config-linux.md, that a process can see from inside: two
// sandboxes show them all, a test each, named by section. What is refused is in check-spec.test.ts and its like.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

/** Words of "Linux mount options" that are a MUST, and the flags that /proc/mounts shows for them. */
const OPTIONS = {
  async: 'rw',
  atime: 'rw',
  defaults: 'rw',
  dev: 'rw',
  diratime: 'rw',
  dirsync: 'rw',
  exec: 'rw',
  iversion: 'rw',
  lazytime: 'rw',
  loud: 'rw',
  noatime: 'noatime',
  nodev: 'nodev',
  nodiratime: 'nodiratime',
  noexec: 'noexec',
  noiversion: 'rw',
  nolazytime: 'rw',
  norelatime: 'rw',
  nostrictatime: 'rw',
  nosuid: 'nosuid',
  relatime: 'relatime',
  ro: 'ro',
  rw: 'rw',
  silent: 'rw',
  strictatime: 'rw',
  suid: 'rw',
  sync: 'rw',
} as const;
const PROPAGATIONS = {
  private: '-',
  rprivate: '-',
  shared: 'shared:',
  rshared: 'shared:',
  slave: '-',
  rslave: '-',
  unbindable: 'unbindable',
  runbindable: 'unbindable',
} as const;
const RLIMITS = {
  RLIMIT_AS: ['Max address space', 2 ** 40, 2 ** 41],
  RLIMIT_CORE: ['Max core file size', 4096, 8192],
  RLIMIT_CPU: ['Max cpu time', 1000, 2000],
  RLIMIT_DATA: ['Max data size', 2 ** 40, 2 ** 41],
  RLIMIT_FSIZE: ['Max file size', 65536, 131072],
  RLIMIT_LOCKS: ['Max file locks', 5, 6],
  RLIMIT_MEMLOCK: ['Max locked memory', 8192, 16384],
  RLIMIT_MSGQUEUE: ['Max msgqueue size', 1000, 2000],
  RLIMIT_NICE: ['Max nice priority', 3, 4],
  RLIMIT_NOFILE: ['Max open files', 100, 200],
  RLIMIT_NPROC: ['Max processes', 50, 60],
  RLIMIT_RSS: ['Max resident set', 2 ** 40, 2 ** 41],
  RLIMIT_RTPRIO: ['Max realtime priority', 1, 2],
  RLIMIT_RTTIME: ['Max realtime timeout', 7, 8],
  RLIMIT_SIGPENDING: ['Max pending signals', 20, 30],
  RLIMIT_STACK: ['Max stack size', 2 ** 20, 2 ** 21],
} as const;

const mountOf = (destination: string, options: string[], type = 'tmpfs'): object => ({
  destination,
  type,
  source: 'tmpfs',
  options,
});

/** What each line prints is what a test below looks at. */
const SCRIPT = [
  'say() { key=$1; shift; echo "$key=$("$@" 2>&1 | tr "\\n" " ")"; }',
  'say root.readonly touch /x',
  'say order ls /a',
  'say relative cat /relative/f',
  'say bind cat /bound/f /rbound/f',
  'say bind.ro touch /bound-ro/x',
  'say bind.rw touch /bound/x',
  'say remount touch /remounted/x',
  'say cwd pwd',
  'say env env',
  'say umask umask',
  'say status cat /proc/self/status',
  'say oom cat /proc/self/oom_score_adj',
  'say hostname hostname',
  'say domainname cat /proc/sys/kernel/domainname',
  'say sysctl cat /proc/sys/net/ipv4/ip_forward',
  'for name in null zero full random urandom tty ptmx mine fifo; do say dev.$name busybox stat -L -c "%F %a %u:%g %t,%T" /dev/$name; done',
  'say outside busybox stat -c "%F %t,%T" /outside',
  'say masked.file cat /etc/masked',
  'say masked.directory ls /etc/hidden',
  'say readonly.write touch /etc/readonly/x',
  'say readonly.read cat /etc/readonly/f',
  'say seccomp mkdir /a/x',
  'cat /proc/self/mountinfo /proc/self/limits',
].join('\n');

let dir: string;
let output: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-config-'));
  mkdirSync(join(dir, 'data'));
  writeFileSync(join(dir, 'data/f'), 'bound');
  const bind = (destination: string, options: string[]): object => ({ destination, source: 'data', options });
  const capabilities = { bounding: ['CAP_KILL', 'CAP_CHOWN'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] };
  const bundle = busyboxBundle(dir, ['sh', '-c', SCRIPT], {
    someExtension: { unknown: true },
    annotations: { 'org.example.unknown': 'value' },
    root: { path: 'rootfs', readonly: true },
    hostname: 'named',
    domainname: 'domain.example',
    process: {
      cwd: '/a/working',
      env: ['PATH=/none:/bin', 'LETTERS_1=value=2'],
      consoleSize: { width: 80, height: 24 },
      user: { uid: 7, gid: 8, additionalGids: [9, 10], umask: 0o27 },
      capabilities: { ...capabilities, inheritable: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: 77,
      rlimits: Object.entries(RLIMITS).map(([type, [, soft, hard]]) => ({ type, soft, hard })),
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      mountOf('/dev', ['mode=755']),
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
      mountOf('/a', []),
      mountOf('/a/lost', []),
      mountOf('/a', ['mode=777']),
      mountOf('/a/working', ['mode=777']),
      mountOf('/a/second', []),
      { ...bind('relative', ['rbind']), type: 'none' },
      bind('/bound', ['bind']),
      bind('/rbound', ['rbind']),
      bind('/bound-ro', ['bind', 'ro']),
      mountOf('/remounted', ['mode=777']),
      mountOf('/remounted', ['remount', 'ro']),
      mountOf('/m', []),
      ...Object.keys(OPTIONS).map((option) => mountOf(`/m/${option}`, [option])),
      mountOf('/p', []),
      ...Object.keys(PROPAGATIONS).map((option) => mountOf(`/p/${option}`, [option])),
    ],
    linux: {
      namespaces: ['pid', 'network', 'mount', 'ipc', 'uts', 'cgroup'].map((type) => ({ type })),
      sysctl: { 'net.ipv4.ip_forward': '1' },
      rootfsPropagation: 'shared',
      maskedPaths: ['/etc/masked', '/etc/hidden'],
      readonlyPaths: ['/etc/readonly'],
      devices: [
        { path: '/dev/mine', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4 },
        // With the bits of its type, as podman writes it.
        { path: '/dev/fifo', type: 'p', fileMode: 0o010600 },
        { path: '/outside', type: 'b', major: 8, minor: 0 },
        { path: '/dev/null', type: 'c', major: 1, minor: 3 },
      ],
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }],
      },
    },
  });
  for (const path of ['etc/hidden', 'etc/readonly']) mkdirSync(join(bundle, 'rootfs', path), { mode: 0o777 });
  for (const path of ['etc/masked', 'etc/hidden/f', 'etc/readonly/f'])
    writeFileSync(join(bundle, 'rootfs', path), 'seen');
  const flags = ['--root', join(dir, 'state'), '--oci-seccomp'];
  const { stdout, stderr, status } = await runTsv([...flags, 'run', '--bundle', bundle, 'a'], '', 90_000);
  output = stdout;
  expect([stderr, status]).toEqual(['', 0]);
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What the script said about `key`. */
function said(key: string): string | undefined {
  return output
    .split('\n')
    .find((line) => line.startsWith(`${key}=`))
    ?.slice(key.length + 1)
    .trim();
}

/** Fields of the last line of mountinfo for `path`: options of the mount, and the optional fields, proc_pid_mountinfo(5). */
function mounted(path: string): [options: string[], optional: string] {
  const fields = output
    .split('\n')
    .map((line) => line.split(' '))
    .findLast((words) => words[4] === path && words.length > 8)!;
  return [fields[5]!.split(','), fields[6]!];
}

describe('config.md, seen from inside', () => {
  it.each`
    section                    | text                                                                      | key                | value
    ${'"Root"'}                | ${'"the root filesystem MUST be read-only inside the container"'}         | ${'root.readonly'} | ${/Read-only file system/}
    ${'"Mounts"'}              | ${'"The runtime MUST mount entries in the listed order"'}                 | ${'order'}         | ${/^second working$/}
    ${'"Mounts"'}              | ${'a relative destination "MUST be interpreted as relative to "/""'}      | ${'relative'}      | ${/^bound$/}
    ${'"Linux mount options"'} | ${'bind and rbind MUST be implemented'}                                   | ${'bind'}          | ${/^boundbound$/}
    ${'"Linux mount options"'} | ${'ro of a bind mount MUST be implemented'}                               | ${'bind.ro'}       | ${/Read-only file system/}
    ${'"Linux mount options"'} | ${'remount MUST be implemented'}                                          | ${'remount'}       | ${/Read-only file system/}
    ${'"Process"'}             | ${'cwd'}                                                                  | ${'cwd'}           | ${/^\/a\/working$/}
    ${'"Process"'}             | ${'env, and consoleSize that MUST be ignored without a terminal'}         | ${'env'}           | ${/LETTERS_1=value=2/}
    ${'"Linux Process"'}       | ${'capabilities: bounding'}                                               | ${'status'}        | ${/CapBnd:\t0000000000000021 /}
    ${'"Linux Process"'}       | ${'capabilities: permitted'}                                              | ${'status'}        | ${/CapPrm:\t0+ /}
    ${'"Linux Process"'}       | ${'noNewPrivileges'}                                                      | ${'status'}        | ${/NoNewPrivs:\t1 /}
    ${'"Linux Process"'}       | ${'oomScoreAdj: "the runtime MUST set oom_score_adj to the given value"'} | ${'oom'}           | ${/^77$/}
    ${'"User"'}                | ${'uid'}                                                                  | ${'status'}        | ${/Uid:\t7\t7\t7\t7 /}
    ${'"User"'}                | ${'gid'}                                                                  | ${'status'}        | ${/Gid:\t8\t8\t8\t8 /}
    ${'"User"'}                | ${'additionalGids'}                                                       | ${'status'}        | ${/Groups:\t9 10 /}
    ${'"User"'}                | ${'umask'}                                                                | ${'umask'}         | ${/^0027$/}
    ${'"Hostname"'}            | ${'hostname'}                                                             | ${'hostname'}      | ${/^named$/}
    ${'"Domainname"'}          | ${'domainname'}                                                           | ${'domainname'}    | ${/^domain\.example$/}
  `('$section: $text', ({ key, value }: { key: string; value: RegExp }) => {
    expect(said(key)).toMatch(value);
  });

  it.each(Object.entries(OPTIONS))('"Linux mount options": %s', (option, flag) => {
    expect(mounted(`/m/${option}`)[0]).toContain(flag);
  });

  it.each(Object.entries(PROPAGATIONS))('"Linux mount options": %s', (option, field) => {
    expect(mounted(`/p/${option}`)[1]).toMatch(new RegExp(`^${field}`));
  });

  it.each(Object.entries(RLIMITS))(
    '"POSIX process": "rlim.rlim_cur" and "rlim.rlim_max" of %s "MUST match the configured value"',
    (_, [name, soft, hard]) => {
      const line = output.split('\n').find((text) => text.startsWith(name));
      expect(line?.slice(name.length).trim().split(/\s+/).slice(0, 2)).toEqual([String(soft), String(hard)]);
    },
  );
});

describe('config-linux.md, seen from inside', () => {
  it.each`
    name         | stat
    ${'null'}    | ${'character special file 666 0:0 1,3'}
    ${'zero'}    | ${'character special file 666 0:0 1,5'}
    ${'full'}    | ${'character special file 666 0:0 1,7'}
    ${'random'}  | ${'character special file 666 0:0 1,8'}
    ${'urandom'} | ${'character special file 666 0:0 1,9'}
    ${'tty'}     | ${'character special file 666 0:0 5,0'}
    ${'ptmx'}    | ${'character special file 666 0:0 5,2'}
  `('"Default Devices": "the runtime MUST also supply" /dev/$name', ({ name, stat }: Record<string, string>) => {
    expect(said(`dev.${name!}`)).toBe(stat);
  });

  it.each`
    key           | stat
    ${'dev.mine'} | ${'character special file 640 3:4 1,5'}
    ${'dev.fifo'} | ${'fifo 600 0:0 0,0'}
    ${'outside'}  | ${'block special file 8,0'}
  `('"Devices": "devices that MUST be available in the container": $key', ({ key, stat }: Record<string, string>) => {
    expect(said(key!)).toBe(stat);
  });

  it.each`
    section                          | key                   | value
    ${'"Sysctl"'}                    | ${'sysctl'}           | ${/^1$/}
    ${'"Masked Paths", a file'}      | ${'masked.file'}      | ${/^$/}
    ${'"Masked Paths", a directory'} | ${'masked.directory'} | ${/^$/}
    ${'"Readonly Paths", written'}   | ${'readonly.write'}   | ${/Read-only file system/}
    ${'"Readonly Paths", read'}      | ${'readonly.read'}    | ${/^seen$/}
    ${'"Seccomp"'}                   | ${'seccomp'}          | ${/(Operation|Not) (not )?supported/i}
  `('$section', ({ key, value }: { key: string; value: RegExp }) => {
    expect(said(key)).toMatch(value);
  });

  it('"Rootfs Mount Propagation"', () => {
    expect(mounted('/')[1]).toMatch(/^shared:/);
  });
});
