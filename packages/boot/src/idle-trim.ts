import type { MemoryFile } from '@tsv/platform';

/** Guests have to do nothing for so long before free memory goes back to the host. */
export const TRIM_AFTER_MS = 1000;

/** Gives the memory of free pages back to the host when guests are idle: once each time. */
export class IdleTrim {
  readonly #memoryFile: MemoryFile;
  #stopCount = 0;
  #idleSinceMs = 0;
  #isTrimmed = false;

  constructor(memoryFile: MemoryFile) {
    this.#memoryFile = memoryFile;
  }

  /**
   * Called before the thread goes to sleep; `stopCount` has changed if guests have done something since the last call.
   * Returns in how many milliseconds it is to be called again, Infinity when there is nothing left to do.
   */
  beforeSleep(stopCount: number, nowMs: number): number {
    if (stopCount !== this.#stopCount) {
      this.#stopCount = stopCount;
      this.#idleSinceMs = nowMs;
      this.#isTrimmed = false;
    }
    if (this.#isTrimmed) return Infinity;
    const leftMs = this.#idleSinceMs + TRIM_AFTER_MS - nowMs;
    if (leftMs > 0) return leftMs;
    this.#memoryFile.trim();
    this.#isTrimmed = true;
    return Infinity;
  }
}
