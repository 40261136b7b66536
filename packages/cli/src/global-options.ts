import type { Options } from 'yargs';

/** Options that every command takes, as runsc's global flags. */
export const GLOBAL_OPTIONS = {
  root: { type: 'string', describe: 'Directory of the state of containers' },
  debug: { type: 'boolean', default: false, describe: 'Log what the sandbox does' },
  'debug-log': { type: 'string', describe: 'Directory for log files; standard error by default' },
  'log-format': { choices: ['text', 'json'], default: 'text', describe: 'Format of log lines' },
  platform: { type: 'string', default: 'ptrace', describe: 'How guest code is run: see "tsv help platforms"' },
  'systrap-patching': {
    choices: ['on', 'off'],
    default: 'on',
    describe: 'Whether systrap rewrites system call instructions that a program executes often',
  },
  network: { choices: ['none', 'host', 'sandbox'], default: 'none', describe: 'Network of the sandbox' },
  overlay2: {
    choices: ['none', 'root:memory', 'all:memory'],
    default: 'root:memory',
    describe: 'Which mounts of host files are written to memory only',
  },
  strace: { type: 'string', describe: 'Log system calls; with names separated by commas, only these' },
  'strace-log-size': { type: 'number', default: 48, describe: 'Bytes of a buffer that the log shows' },
  'disable-seccomp': { type: 'boolean', default: false, describe: 'Run the sandbox without seccomp filters: unsafe' },
} as const satisfies Record<string, Options>;

/** The values of {@link GLOBAL_OPTIONS} as yargs gives them. */
export interface GlobalArguments {
  root?: string | undefined;
  debug: boolean;
  debugLog?: string | undefined;
  logFormat: 'text' | 'json';
  platform: string;
  systrapPatching: 'on' | 'off';
  network: 'none' | 'host' | 'sandbox';
  overlay2: 'none' | 'root:memory' | 'all:memory';
  strace?: string | undefined;
  straceLogSize: number;
  disableSeccomp: boolean;
}
