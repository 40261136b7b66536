import { isatty } from '@tsv/host';

/** A terminal of the host by its descriptors, which may be one. */
export interface TerminalFds {
  readonly input: number;
  readonly output: number;
  /** Whether they are closed with the container's terminal. */
  readonly isOwned: boolean;
  /** Whether others use the terminal too: it keeps its mode of I/O, and gets its settings back. */
  readonly isShared: boolean;
}

/** The host's terminal if it is ours: standard input and output are one. */
export function hostTerminal(): TerminalFds | null {
  return isatty(0) && isatty(1) ? { input: 0, output: 1, isOwned: false, isShared: true } : null;
}
