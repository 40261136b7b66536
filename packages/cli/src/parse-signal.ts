import { constants } from 'node:os';
import { CommandError } from './command.js';

const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** A signal by number or by name, with SIG or without, such as `RTMIN+3`. */
export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const number = /^\d+$/.test(name) ? Number(name) : numberOf(name);
  if (number !== undefined && number >= 0 && number <= SIGRTMAX) return number;
  throw new CommandError(`Cannot send signal "${text}": there is none`);
}

function numberOf(name: string): number | undefined {
  const [, base, sign, offset] = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  if (base === undefined) return (constants.signals as Record<string, number | undefined>)[`SIG${name}`];
  return (base === 'MIN' ? SIGRTMIN : SIGRTMAX) + (sign === '-' ? -1 : 1) * Number(offset ?? 0);
}
