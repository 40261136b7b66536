import { write } from '@tsv/host';
import { errnoText } from '@tsv/abi';
import { setImmediate as turn } from 'node:timers/promises';
import { SandboxError } from '../sandbox-error.js';

/** Bytes after which guests and other clients are served. */
const TURN_BYTES = 1024 * 1024;

/** Writes all of `bytes`. Throws {@link SandboxError} that names `what` could not be written. */
export function writeAll(fd: number, bytes: Uint8Array, what: string): void {
  for (let at = 0; at < bytes.length;) {
    const n = write(fd, bytes, at, bytes.length - at);
    if (n < 0) throw new SandboxError(`Cannot write ${what}: ${errnoText(-n)}`);
    at += n;
  }
}

/** Writes all pieces, and lets others have turns between them. Throws as {@link writeAll} does. */
export async function writePieces(fd: number, pieces: Iterable<Uint8Array>, what: string): Promise<void> {
  let sinceTurn = 0;
  for (const piece of pieces) {
    writeAll(fd, piece, what);
    sinceTurn += piece.length;
    if (sinceTurn < TURN_BYTES) continue;
    sinceTurn = 0;
    await turn();
  }
}
