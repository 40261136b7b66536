import type { SandboxLaunch } from '@tsv/boot/client';
import { CREATOR_FD, LISTEN_FD, runSentry } from '../sentry.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv boot`: is the sentry of a sandbox that another command makes. Not for users. */
export const run: CommandRun = async (args) => {
  // What the same program has written a moment ago.
  const launch = JSON.parse(wordOf(args, 'options')) as SandboxLaunch;
  return runSentry({ ...launch, creatorFd: CREATOR_FD, listenFd: LISTEN_FD });
};
