import type { RuntimeConfig } from '@tsv/boot/client';
import { CREATOR_FD, LISTEN_FD, runSentry } from '../sentry.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv boot`: is the sentry of a sandbox that another command makes. Not for users. */
export const run: CommandRun = async (args) => {
  // What the same program has written a moment ago.
  const config = JSON.parse(wordOf(args, 'options')) as RuntimeConfig;
  return runSentry({ config, creatorFd: CREATOR_FD, listenFd: LISTEN_FD });
};
