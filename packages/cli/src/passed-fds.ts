import type { PassedFd } from '@tsv/boot/client';
import { CommandError, countOf, textsOf, type CommandArguments } from './command.js';

const FIRST_FD = 3;
/** Numbers of descriptors are below what RLIMIT_NOFILE may be, getrlimit(2). */
const FD_MAX = 2 ** 20 - 1;

/** What `--preserve-fds` and `--pass-fd` ask for. Throws {@link CommandError}. */
export function passedFds(args: CommandArguments): PassedFd[] {
  const preserved = Array.from({ length: countOf(args, 'preserveFds', 0) }, (_, index) => FIRST_FD + index);
  const passed = [
    ...preserved.map((fd) => ({ hostFd: fd, guestFd: fd })),
    ...textsOf(args, 'passFd').map((text) => parsePassedFd(text)),
  ];
  const twice = passed.find(({ guestFd }, i) => passed.slice(0, i).some((other) => other.guestFd === guestFd));
  if (twice === undefined) return passed;
  throw new CommandError(`Cannot pass descriptor ${twice.hostFd}: another one is to be ${twice.guestFd} already`);
}

function parsePassedFd(text: string): PassedFd {
  const [, host, guest] = /^(\d+):(\d+)$/.exec(text) ?? [];
  const [hostFd, guestFd] = [Number(host), Number(guest)];
  if (hostFd <= FD_MAX && guestFd >= FIRST_FD && guestFd <= FD_MAX) return { hostFd, guestFd };
  throw new CommandError(
    `Cannot pass descriptor "${text}": it is not HOST:GUEST, a number here and one of 3 or more there`,
  );
}
