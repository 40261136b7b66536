import { CREATOR_FD, LISTEN_FD, runSentry, type RuntimeConfig } from '@tsv/boot';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv boot`: is the sentry of a sandbox that another command makes. Not for users. */
export const run: CommandRun = async (args) => {
  // What the same program has written a moment ago.
  const config = JSON.parse(wordOf(args, 'options')) as RuntimeConfig;
  return runSentry({ config, creatorFd: CREATOR_FD, listenFd: LISTEN_FD });
};
