import type { Command } from '../command.js';

/** All commands. */
export const COMMANDS: readonly Command[] = [
  {
    words: 'run [id]',
    describe: "Create and start a container and wait for it; without a bundle, on the host's files",
    options: {
      bundle: { type: 'string', alias: 'b', describe: 'Directory of an OCI bundle' },
      'pid-file': { type: 'string', describe: 'File to write the process id of the sandbox to' },
    },
    load: async () => (await import('./run.js')).run,
  },
  {
    words: 'do',
    describe: "Run a command in a throw-away sandbox over the host's files",
    options: {
      'root-dir': { type: 'string', describe: 'Root filesystem; the host\'s by default (also --root after "do")' },
      cwd: { type: 'string', describe: 'Working directory; the current one by default' },
      env: { type: 'array', string: true, nargs: 1, alias: 'e', describe: 'Environment variable K=V to add' },
      uid: { type: 'number', describe: 'User id of the command' },
    },
    isGreedy: true,
    load: async () => (await import('./do.js')).run,
  },
  {
    words: 'spec [args..]',
    describe: 'Write a config.json to start from',
    options: { bundle: { type: 'string', alias: 'b', default: '.', describe: 'Directory to write it to' } },
    load: async () => (await import('./spec.js')).run,
  },
  {
    words: 'help <topic>',
    describe: 'Tell about "platforms" or "syscalls"',
    options: { format: { choices: ['table', 'csv', 'json'], default: 'table', describe: 'Form of the list' } },
    load: async () => (await import('./help.js')).run,
  },
];
