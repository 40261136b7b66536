/** How many of one kind of object each user has, where a limit is for each user, by its UID in the initial user namespace. */
export class UserCount {
  readonly #max: number;
  readonly #counts = new Map<number, number>();

  /** `max` is what one user may have. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts `n` more for `uid`. Returns whether that is within the limit; beyond it nothing is counted. */
  take(uid: number, n: number): boolean {
    const count = (this.#counts.get(uid) ?? 0) + n;
    if (count > this.#max) return false;
    this.#counts.set(uid, count);
    return true;
  }

  /** `n` that {@link take} counted for `uid` are gone. */
  give(uid: number, n: number): void {
    const count = (this.#counts.get(uid) ?? 0) - n;
    if (count > 0) this.#counts.set(uid, count);
    else this.#counts.delete(uid);
  }
}
