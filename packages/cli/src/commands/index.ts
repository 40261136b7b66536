import type { Options } from 'yargs';
import type { Command } from '../command.js';

const text = (describe: string): Options => ({ type: 'string', describe });
const flag = (describe: string, alias?: string): Options => ({
  type: 'boolean',
  describe,
  ...(alias !== undefined && { alias }),
});
const texts = (describe: string, alias: string): Options => ({
  type: 'array',
  string: true,
  nargs: 1,
  alias,
  describe,
});

const BUNDLE: Options = { type: 'string', alias: 'b', describe: 'Directory of an OCI bundle' };
const IO_OPTIONS: Readonly<Record<string, Options>> = {
  'pid-file': text('File to write the process id to'),
  'console-socket': text("Unix socket that is sent the terminal's other end"),
  'preserve-fds': text('Number of descriptors from 3 on to pass on'),
  'pass-fd': { type: 'array', string: true, nargs: 1, describe: 'Descriptor HOST:GUEST to pass on, by a number there' },
};
const CREATE_OPTIONS: Readonly<Record<string, Options>> = {
  ...IO_OPTIONS,
  'user-log': text('File to append what the programs miss of Linux to, as lines of JSON'),
  'no-pivot': flag('Accepted, as engines give it'),
  'no-new-keyring': flag('Accepted, as engines give it'),
};
const DOCKER_OPTIONS: Readonly<Record<string, Options>> = {
  runtime: text('Name of the runtime, "tsv" by default'),
  'config-file': { type: 'string', alias: 'config_file', describe: "Docker's configuration, /etc/docker/daemon.json" },
};
const METRIC_OPTIONS: Readonly<Record<string, Options>> = {
  'exporter-prefix': { type: 'string', default: 'tsv_', describe: 'What comes before the name of each metric' },
  'sandbox-metrics-filter': text('Regular expression that names of metrics, without the prefix, must match'),
};
const REFUSED: Options = { type: 'string', describe: 'Refused: there is no Intel RDT' };
const FORMAT: Options = { choices: ['table', 'json'], default: 'table', alias: 'f', describe: 'Form of the output' };

/** All commands. */
export const COMMANDS: readonly Command[] = [
  {
    words: 'run [id]',
    describe: "Create and start a container and wait for it; without a bundle, on the host's files",
    options: {
      bundle: BUNDLE,
      detach: flag('Return when it runs', 'd'),
      keep: flag('Leave the container, stopped, until it is deleted'),
      'no-subreaper': flag('Accepted, as engines give it'),
      ...CREATE_OPTIONS,
    },
    load: async () => (await import('./run.js')).run,
  },
  {
    words: 'do',
    describe: "Run a command in a throw-away sandbox over the host's files",
    options: {
      'root-dir': { type: 'string', describe: 'Root filesystem; the host\'s by default (also --root after "do")' },
      cwd: text('Working directory; the current one by default'),
      env: texts('Environment variable K=V to add', 'e'),
      uid: { type: 'number', describe: 'User id of the command' },
      volume: texts(
        'SOURCE[:DESTINATION][:ro] of the host to mount; what is written there is written to the host',
        'v',
      ),
      'force-overlay': {
        type: 'boolean',
        default: true,
        describe: 'Keep what is written off the host: false is --overlay2=none',
      },
      quiet: flag('Accepted, as for runsc: nothing else is said'),
    },
    ownWordCount: 0,
    load: async () => (await import('./do.js')).run,
  },
  {
    words: 'create <id>',
    describe: 'Create a container, to be started',
    options: { bundle: BUNDLE, ...CREATE_OPTIONS },
    load: async () => (await import('./create.js')).run,
  },
  {
    words: 'start <id>',
    describe: 'Start a created container',
    options: {},
    load: async () => (await import('./start.js')).run,
  },
  {
    words: 'exec <id>',
    describe: 'Run another process in a running container',
    options: {
      ...IO_OPTIONS,
      'internal-pid-file': text("File to write the process's id in the container to"),
      process: { type: 'string', alias: 'p', describe: 'File that describes the process, instead of all else' },
      cwd: text('Working directory'),
      env: texts('Environment variable K=V to add', 'e'),
      tty: flag('Give it a terminal', 't'),
      user: { type: 'string', alias: 'u', describe: 'UID[:GID]' },
      'additional-gids': texts('Another group', 'g'),
      cap: texts('Capability to add', 'c'),
      detach: flag('Return when it runs', 'd'),
      'no-new-privs': flag('It cannot gain privileges'),
      cgroup: text("Cgroup that is there, below the container's own, to run it in"),
      'ignore-paused': flag('Also in a paused container: it runs when that is resumed'),
      'process-label': text('Accepted, as engines give it'),
      apparmor: text('Accepted, as engines give it'),
    },
    ownWordCount: 1,
    load: async () => (await import('./exec.js')).run,
  },
  {
    words: 'kill <id> [signal]',
    describe: 'Send a signal to a container, SIGTERM by default',
    options: {
      all: flag('To all its processes', 'a'),
      pid: text('To this process, by its id in the sandbox'),
      pgid: text('To this process group, by its id in the sandbox'),
    },
    load: async () => (await import('./kill.js')).run,
  },
  {
    words: 'delete <id>',
    describe: 'Remove a container that has stopped',
    options: { force: flag('Kill it if it runs; no error if it is not there', 'f') },
    load: async () => (await import('./delete.js')).run,
  },
  {
    words: 'state <id>',
    describe: 'Print the state of a container as JSON',
    options: {},
    load: async () => (await import('./state.js')).run,
  },
  {
    words: 'list',
    describe: 'List containers',
    options: { quiet: flag('IDs only', 'q'), format: FORMAT },
    load: async () => (await import('./list.js')).run,
  },
  {
    words: 'ps <id>',
    describe: 'List the processes of a container',
    options: { format: FORMAT },
    load: async () => (await import('./ps.js')).run,
  },
  {
    words: 'wait <id>',
    describe: 'Wait for the end of a container and print its exit status',
    options: { pid: text('Wait for this process instead, by its id in the container') },
    load: async () => (await import('./wait.js')).run,
  },
  {
    words: 'pause <id>',
    describe: 'Keep the processes of a container from running',
    options: {},
    load: async () => (await import('./pause.js')).run,
  },
  {
    words: 'resume <id>',
    describe: 'Let the processes of a paused container run on',
    options: {},
    load: async () => (await import('./resume.js')).run,
  },
  {
    words: 'events <id>',
    describe: 'Tell what a container uses, as JSON',
    options: { stats: flag('Once only'), interval: text('Seconds between two, 5 by default') },
    load: async () => (await import('./events.js')).run,
  },
  {
    words: 'update <id>',
    describe: "Change the limits of a container's cgroup",
    options: {
      resources: { type: 'string', alias: 'r', describe: 'File of linux.resources; "-" for standard input' },
      'cpu-share': text('Relative CPU weight'),
      'cpu-quota': text('Microseconds of CPU in a period'),
      'cpu-period': text('Microseconds of a period'),
      'cpu-burst': text('Microseconds that a period may take of what earlier ones have left'),
      'cpu-rt-period': text('Microseconds of a period of realtime processes'),
      'cpu-rt-runtime': text('Microseconds of CPU that they have in it'),
      'cpu-idle': text('1: only CPU time that nobody else wants'),
      'blkio-weight': text('Relative weight of disk accesses'),
      'cpuset-cpus': text('CPUs'),
      'cpuset-mems': text('Memory nodes'),
      memory: text('Bytes of memory'),
      'memory-swap': text('Bytes of memory and swap'),
      'memory-reservation': text('Bytes of memory that it keeps when memory is short'),
      'pids-limit': text('Number of processes'),
      'l3-cache-schema': REFUSED,
      'mem-bw-schema': REFUSED,
    },
    load: async () => (await import('./update.js')).run,
  },
  {
    words: 'debug <id>',
    describe: 'Look into a running sandbox',
    options: {
      stacks: flag('Print where every thread is'),
      ps: flag('Print processes'),
      signal: text('Send this signal'),
      pid: text('To this process, by its id in the sandbox'),
      'log-level': text('Log "debug" or only "warning" from now on'),
      'profile-cpu': text("File for a CPU profile in V8's format (.cpuprofile)"),
      'profile-heap': text("File for a heap snapshot in V8's format (.heapsnapshot)"),
      duration: text('Seconds of the CPU profile, 5 by default'),
    },
    load: async () => (await import('./debug.js')).run,
  },
  {
    words: 'usage <id>',
    describe: 'Print the memory of a sandbox as JSON',
    options: {},
    load: async () => (await import('./usage.js')).run,
  },
  {
    words: 'export-metrics <id>',
    describe: "Print the metrics of a sandbox in Prometheus's format",
    options: METRIC_OPTIONS,
    load: async () => (await import('./export-metrics.js')).run,
  },
  {
    words: 'metric-server',
    describe: "Serve the metrics of all sandboxes over HTTP in Prometheus's format",
    options: {
      ...METRIC_OPTIONS,
      address: {
        type: 'string',
        default: '127.0.0.1:1337',
        describe: 'Path of a Unix socket, or [HOST:]PORT of loopback',
      },
      'pid-file': text('File to write the process id to'),
    },
    load: async () => (await import('./metric-server.js')).run,
  },
  {
    words: 'port-forward <id> <ports>',
    describe: 'Join a port of 127.0.0.1 to one in a container: LOCAL:REMOTE, or one number for both; 0 takes any',
    options: {},
    load: async () => (await import('./port-forward.js')).run,
  },
  {
    words: 'tar <what> <id>',
    describe: 'Write "rootfs-upper", what a container has written to its root filesystem, as a layer of an OCI image',
    options: { file: text('File to write it to') },
    load: async () => (await import('./tar.js')).run,
  },
  {
    words: 'features',
    describe: 'Print what engines may ask for, as JSON',
    options: {},
    load: async () => (await import('./features.js')).run,
  },
  {
    words: 'install',
    describe: 'Tell Docker of this runtime in its daemon.json',
    options: {
      ...DOCKER_OPTIONS,
      clobber: { type: 'boolean', default: true, describe: 'Replace a runtime of the same name' },
      'runtime-arg': texts('Option that Docker is to give, such as --platform=systrap', 'a'),
    },
    load: async () => (await import('./install.js')).run,
  },
  {
    words: 'uninstall',
    describe: "Take this runtime out of Docker's daemon.json",
    options: DOCKER_OPTIONS,
    load: async () => (await import('./install.js')).uninstall,
  },
  {
    words: 'spec [args..]',
    describe: 'Write a config.json to start from',
    options: {
      bundle: { type: 'string', alias: 'b', default: '.', describe: 'Directory to write it to' },
      cwd: text('Working directory of the process'),
      netns: text('Path of the network namespace to join'),
      rootless: flag('For users without root: in a user namespace, without cgroups'),
    },
    load: async () => (await import('./spec.js')).run,
  },
  {
    words: 'help <topic>',
    describe: 'Tell about "platforms" or "syscalls"',
    options: { format: { choices: ['table', 'csv', 'json'], default: 'table', describe: 'Form of the list' } },
    load: async () => (await import('./help.js')).run,
  },
  {
    words: 'late-hooks <id>',
    describe: false,
    options: {},
    load: async () => (await import('./late-hooks.js')).run,
  },
  {
    words: 'boot',
    describe: false,
    options: { options: text('What the command line says, as JSON') },
    load: async () => (await import('./boot.js')).run,
  },
];
