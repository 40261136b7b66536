/** How many of one kind of object each user has, where a limit is for each user. Users are told apart by their UID in the kernel. */
export class UserCount {
  readonly #max: number;
  readonly #counts = new Map<number, number>();

  /** `max` is what one user may have. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts one more for `uid`. Returns whether that is within the limit; beyond it nothing is counted. */
  take(uid: number): boolean {
    const count = this.#counts.get(uid) ?? 0;
    if (count >= this.#max) return false;
    this.#counts.set(uid, count + 1);
    return true;
  }

  /** One that {@link take} counted for `uid` is gone. */
  give(uid: number): void {
    const count = this.#counts.get(uid)!;
    if (count > 1) this.#counts.set(uid, count - 1);
    else this.#counts.delete(uid);
  }
}
