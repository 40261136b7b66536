/** Counts the system calls that guests made and that do not exist here, by number and program. */
export class UnimplementedSyscalls {
  readonly #counts = new Map<number, Map<string, number>>();
  /** Called at the first use of a call by a program. */
  onFirst: ((nr: number, comm: string) => void) | null = null;

  /** Counts a call of `nr` by the program `comm`. */
  record(nr: number, comm: string): void {
    let byComm = this.#counts.get(nr);
    if (byComm === undefined) {
      byComm = new Map();
      this.#counts.set(nr, byComm);
    }
    const count = byComm.get(comm) ?? 0;
    if (count === 0) this.onFirst?.(nr, comm);
    byComm.set(comm, count + 1);
  }

  /** Rows of number, program and count, by number. */
  get rows(): { nr: number; comm: string; count: number }[] {
    const rows: { nr: number; comm: string; count: number }[] = [];
    for (const [nr, byComm] of this.#counts) for (const [comm, count] of byComm) rows.push({ nr, comm, count });
    return rows.sort((a, b) => a.nr - b.nr);
  }
}
