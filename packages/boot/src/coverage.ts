import { errnoText } from '@tsv/abi';
import { close, write } from '@tsv/host';
import type { Session } from 'node:inspector';
import { openSync } from 'node:fs';
import { SandboxError } from './sandbox-error.js';

/** Counts which code of this process runs, with V8's own coverage, as NODE_V8_COVERAGE does. */
export class Coverage {
  readonly #fd: number;
  readonly #session: Session;

  /** Begins; the report goes to the file `path`, which is made now. Throws {@link SandboxError}. */
  constructor(path: string) {
    try {
      this.#fd = openSync(path, 'w');
    } catch (error) {
      throw new SandboxError(`Cannot write the coverage report "${path}": ${(error as Error).message}`);
    }
    this.#session = new (process.getBuiltinModule('node:inspector').Session)();
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Writes the report and ends. */
  report(): void {
    this.#session.post('Profiler.takePreciseCoverage', (error: Error | null, coverage?: object) => {
      const text = error === null ? JSON.stringify(coverage) : JSON.stringify({ error: error.message });
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length;) {
        const n = write(this.#fd, bytes, at, bytes.length - at);
        if (n < 0) {
          process.stderr.write(`tsv: warning: Cannot write the coverage report: ${errnoText(-n)}\n`);
          break;
        }
        at += n;
      }
      close(this.#fd);
    });
    this.#session.disconnect();
  }
}
