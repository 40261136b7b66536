import type { Options } from 'yargs';

/** Options that every command takes, as runsc's global flags. */
export const GLOBAL_OPTIONS = {
  root: { type: 'string', describe: 'Directory of the state of containers' },
  debug: { type: 'boolean', default: false, describe: 'Log what the sandbox does' },
  'debug-log': {
    type: 'string',
    describe: 'File for the log, with %ID%, %TIMESTAMP% or %COMMAND%, or a directory; standard error by default',
  },
  'debug-log-format': { choices: ['text', 'json'], default: 'text', describe: 'Format of debug log lines' },
  log: { type: 'string', describe: 'File to append to why a command failed' },
  'log-format': { choices: ['text', 'json'], default: 'text', describe: 'Format of lines in the file of --log' },
  criu: { type: 'string', describe: 'Accepted, as engines give it' },
  'systemd-cgroup': { type: 'boolean', default: false, describe: 'Accepted, as engines give it' },
  'ignore-cgroups': {
    type: 'boolean',
    default: false,
    describe: 'Make no control groups on the host: without limits there',
  },
  rootless: { type: 'string', describe: 'Accepted, as engines give it' },
  platform: { type: 'string', default: 'auto', describe: 'How guest code is run: see "tsv help platforms"' },
  'systrap-patching': {
    choices: ['on', 'off'],
    default: 'on',
    describe: 'Whether systrap rewrites system call instructions that a program executes often',
  },
  'systrap-in-stub': {
    choices: ['on', 'off'],
    default: 'on',
    describe: 'Whether systrap answers getpid and its like by itself; off shows what a call costs',
  },
  network: { choices: ['none', 'host', 'sandbox'], default: 'sandbox', describe: 'Network of the sandbox' },
  'log-packets': { type: 'boolean', default: false, describe: "Log the packets of the sandbox's own network" },
  'pcap-log': { type: 'string', describe: 'File to write those packets to, for Wireshark and tcpdump (pcapng)' },
  'net-raw': { type: 'boolean', default: false, describe: 'Let containers that ask for CAP_NET_RAW have it' },
  overlay2: {
    type: 'string',
    describe:
      'Which mounts of host files are never written to: none (of a bundle), or root or all, with :memory (root:memory ' +
      'without a bundle), :self or :dir=PATH for where it goes; ",size=BYTES" limits it',
  },
  'file-access': {
    choices: ['exclusive', 'shared'],
    default: 'exclusive',
    describe: 'Whether others change the root filesystem meanwhile: shared looks every name up again',
  },
  'file-access-mounts': {
    choices: ['exclusive', 'shared'],
    default: 'shared',
    describe: 'The same of what is mounted from the host',
  },
  dcache: {
    type: 'number',
    default: -1,
    describe: 'Names of files to remember though nobody uses them, 64 at least; a default when below 0',
  },
  'host-fifo': {
    choices: ['none', 'open'],
    default: 'none',
    describe: 'Whether FIFOs that are mounted from the host reach the host when they are opened',
  },
  'host-uds': {
    choices: ['none', 'open', 'create', 'all'],
    default: 'none',
    describe:
      'Whether Unix sockets in files of the host reach it: those that are there (open), those made there (create)',
  },
  'cpu-num-from-quota': {
    type: 'boolean',
    default: true,
    describe: 'Show as many CPUs as the quota of linux.resources pays for, two at least',
  },
  strace: { type: 'string', describe: 'Log system calls; with names separated by commas, only these' },
  'strace-log-size': { type: 'number', default: 48, describe: 'Bytes of a buffer that the log shows' },
  directfs: { type: 'boolean', default: true, describe: 'The sandbox opens host files itself, not through its gofer' },
  'oci-seccomp': { type: 'boolean', default: false, describe: 'Apply linux.seccomp of config.json to the container' },
  'watchdog-action': {
    choices: ['log', 'panic'],
    default: 'log',
    describe: 'What happens when the sandbox does not come back from a system call: panic ends it',
  },
  'watchdog-timeout': { type: 'number', default: 180, describe: 'Seconds until then' },
  'create-timeout': {
    type: 'number',
    default: 60,
    describe: 'Seconds to wait until a container is made; a sandbox that was started for it is ended then',
  },
  'panic-signal': { type: 'string', describe: 'Signal on which the sandbox tells where everything is, and ends' },
  'ref-leak-mode': {
    choices: ['disabled', 'log-names', 'panic'],
    default: 'disabled',
    describe: 'Whether to look for what guests that have ended left in the kernel: panic fails then',
  },
  'coverage-report': { type: 'string', describe: "File for the sandbox's own code coverage, in V8's format" },
  'disable-seccomp': { type: 'boolean', default: false, describe: 'Run the sandbox without seccomp filters: unsafe' },
} as const satisfies Record<string, Options>;

/** The values of {@link GLOBAL_OPTIONS} as yargs gives them. */
export interface GlobalArguments {
  root?: string | undefined;
  debug: boolean;
  debugLog?: string | undefined;
  debugLogFormat: 'text' | 'json';
  log?: string | undefined;
  logFormat: 'text' | 'json';
  ignoreCgroups: boolean;
  platform: string;
  systrapPatching: 'on' | 'off';
  systrapInStub: 'on' | 'off';
  network: 'none' | 'host' | 'sandbox';
  logPackets: boolean;
  pcapLog?: string | undefined;
  netRaw: boolean;
  overlay2?: string | undefined;
  fileAccess: 'exclusive' | 'shared';
  fileAccessMounts: 'exclusive' | 'shared';
  dcache: number;
  hostFifo: 'none' | 'open';
  hostUds: 'none' | 'open' | 'create' | 'all';
  cpuNumFromQuota: boolean;
  strace?: string | undefined;
  straceLogSize: number;
  directfs: boolean;
  ociSeccomp: boolean;
  disableSeccomp: boolean;
  watchdogAction: 'log' | 'panic';
  watchdogTimeout: number;
  createTimeout: number;
  panicSignal?: string | undefined;
  refLeakMode: 'disabled' | 'log-names' | 'panic';
  coverageReport?: string | undefined;
}
