import type { PlatformType } from './platform.js';

/** The platforms that a program can choose from. */
export class PlatformRegistry {
  readonly #types = new Map<string, PlatformType>();

  /** Adds a platform. A name can be taken once. */
  register(type: PlatformType): void {
    if (this.#types.has(type.name)) throw new Error(`Cannot register platform "${type.name}": the name is taken`);
    this.#types.set(type.name, type);
  }

  get names(): string[] {
    return [...this.#types.keys()];
  }

  /** The platform called `name`, or undefined. */
  lookup(name: string): PlatformType | undefined {
    return this.#types.get(name);
  }

  get types(): PlatformType[] {
    return [...this.#types.values()];
  }
}
