import type { Errno } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SocketFile } from './socket-file.js';

/** An address family: what makes the sockets of socket(2). Whoever provides a network registers one. */
export interface SocketFamily {
  /** AF_*. */
  readonly family: number;
  /** As in /proc/net/protocols and for messages. */
  readonly name: string;
  /**
   * A new socket with one reference; `flags` may have O_NONBLOCK. Errors: EACCES or EPERM, EPROTONOSUPPORT,
   * ESOCKTNOSUPPORT.
   */
  create(t: Task, type: number, protocol: number, flags: number): SocketFile | Errno;
  /** Two connected sockets, socketpair(2); null for families that have none (EOPNOTSUPP). */
  readonly createPair:
    ((t: Task, type: number, protocol: number, flags: number) => [SocketFile, SocketFile] | Errno) | null;
}

/** The address families that a kernel has. */
export class SocketFamilies {
  readonly #families = new Map<number, SocketFamily>();

  /** Adds a family. A number can be taken once. */
  register(family: SocketFamily): void {
    if (this.#families.has(family.family)) throw new Error(`Cannot register ${family.name}: the family is taken`);
    this.#families.set(family.family, family);
  }

  /** Puts a family in the place of the one with its number. */
  replace(family: SocketFamily): void {
    this.#families.set(family.family, family);
  }

  /** The family `family`, or undefined: EAFNOSUPPORT. */
  lookup(family: number): SocketFamily | undefined {
    return this.#families.get(family);
  }
}
