import { errnoName, syscallName } from '@tsv/abi';
import { REGISTERS_SET } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { PRINTERS, type RawArguments } from './format-argument.js';
import { parseSignatures, type StraceArgument, type StraceSignature } from './signatures.js';

/** What is traced and where lines go. */
export interface StraceOptions {
  /** Names of the calls to show; empty for all. */
  readonly names: readonly string[];
  /** Bytes of a buffer that are shown. */
  readonly dataBytesMax: number;
  readonly write: (line: string) => void;
}

/** What a call looked like when it began. */
interface Entry {
  readonly raw: RawArguments;
  /** Text of each argument that is shown before the call; undefined for outputs. */
  readonly shown: (string | undefined)[];
}

/** Logs system calls with decoded arguments and results, in the style of strace(1). */
export class Strace {
  readonly #options: StraceOptions;
  readonly #signatures = parseSignatures();
  readonly #names: ReadonlySet<string>;
  readonly #entries = new Map<Task, Entry>();

  constructor(options: StraceOptions) {
    this.#options = options;
    this.#names = new Set(options.names);
  }

  /** The call of `task` begins. */
  enter(task: Task): void {
    const name = syscallName(task.syscallNr);
    if (this.#names.size > 0 && !this.#names.has(name)) return;
    const raw: RawArguments = {
      values: INDICES.map((n) => task.args.u64(n)),
      ints: INDICES.map((n) => task.args.i32(n)),
    };
    const signature = this.#signature(name);
    const shown = signature.args.map((arg, index) => (arg.isOutput ? undefined : this.#show(task, arg, raw, index, 0)));
    this.#entries.set(task, { raw, shown });
  }

  /** The call of `task` ends with what its handler returned; null for one that does not return. */
  exit(task: Task, nr: number, returned: number | null): void {
    const result = returned === REGISTERS_SET ? 0 : returned;
    const entry = this.#entries.get(task);
    if (entry === undefined) return;
    this.#entries.delete(task);
    const signature = this.#signature(syscallName(nr));
    const failed = result === null || result < 0;
    const args = signature.args.map((arg, index) => {
      const before = entry.shown[index];
      if (before !== undefined) return before;
      return failed ? PRINTERS['ptr']!(task, entry.raw, index, 0, 0) : this.#show(task, arg, entry.raw, index, result);
    });
    const tail = result === null ? '?' : showResult(result, signature.result);
    this.#options.write(`[${task.tid}] ${task.comm}: ${syscallName(nr)}(${args.join(', ')}) = ${tail}`);
  }

  #signature(name: string): StraceSignature {
    return this.#signatures.get(name) ?? UNKNOWN;
  }

  #show(task: Task, arg: StraceArgument, raw: RawArguments, index: number, result: number): string {
    let len = arg.lenArg < 0 ? 0 : (raw.ints[arg.lenArg] ?? 0);
    if (arg.isOutput && (arg.kind === 'data' || arg.kind === 'string')) len = result;
    return PRINTERS[arg.kind]!(task, raw, index, len, this.#options.dataBytesMax);
  }
}

const INDICES = [0, 1, 2, 3, 4, 5] as const;
const UNKNOWN: StraceSignature = {
  args: INDICES.map(() => ({ kind: 'hex', lenArg: -1, isOutput: false })),
  result: 'int',
};

function showResult(result: number, kind: string): string {
  if (result >= 0) return kind === 'ptr' ? `0x${result.toString(16)}` : String(result);
  if (result > -4096) return `-1 ${errnoName(-result)}`;
  return '? (restarts)';
}
