/** Numbers from here on are no system call of any Linux: who makes one gets ENOSYS everywhere. */
const SYSCALL_NR_END = 1024;

/** A system call that does not exist here and was made all the same. */
export interface UnimplementedSyscall {
  readonly nr: number;
  /** The program that made it first. */
  readonly comm: string;
  count: number;
}

/** Counts the system calls that guests made and that do not exist here. Bounded, whatever guests do. */
export class UnimplementedSyscalls {
  readonly #byNumber = new Map<number, UnimplementedSyscall>();
  /** Called at the first use of a call. */
  onFirst: ((nr: number, comm: string) => void) | null = null;

  /** Counts a call of `nr` by the program `comm`. */
  record(nr: number, comm: string): void {
    if (nr >= SYSCALL_NR_END) return;
    const known = this.#byNumber.get(nr);
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.#byNumber.set(nr, { nr, comm, count: 1 });
    this.onFirst?.(nr, comm);
  }

  /** What was counted, by number. */
  get rows(): readonly Readonly<UnimplementedSyscall>[] {
    return [...this.#byNumber.values()].sort((a, b) => a.nr - b.nr);
  }
}
