import { FileStore } from '@tsv/gofer';
import { errnoText } from '@tsv/abi';
import { toByteString } from './byte-string.js';
import { SandboxError } from './sandbox-error.js';

/** The open stores of one container; they are closed by whoever has it. */
export class OpenStores {
  readonly #donated: ReadonlyMap<string, number>;
  readonly #stores = new Map<string, FileStore>();

  /** `donated` are descriptors, by path, of directories that this process cannot open itself. */
  constructor(donated: ReadonlyMap<string, number>) {
    this.#donated = donated;
  }

  /** The store at `path`, opened at its first use. Throws {@link SandboxError}. */
  at(path: string): FileStore {
    const known = this.#stores.get(path);
    if (known !== undefined) return known;
    const store = FileStore.open(toByteString(path), this.#donated.get(path));
    if (typeof store === 'number') throw new SandboxError(`Cannot open "${path}": ${errnoText(-store)}`);
    this.#stores.set(path, store);
    return store;
  }

  /** Empties and closes the stores. Nothing of the container runs any more. */
  destroy(): void {
    for (const store of this.#stores.values()) store.destroy();
    this.#stores.clear();
  }
}
