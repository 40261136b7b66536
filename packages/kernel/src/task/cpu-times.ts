/** CPU time in milliseconds: in the guest's code, and in the kernel for it. */
export class CpuTimes {
  userMs = 0;
  systemMs = 0;

  add(other: CpuTimes): void {
    this.userMs += other.userMs;
    this.systemMs += other.systemMs;
  }

  get totalMs(): number {
    return this.userMs + this.systemMs;
  }

  clear(): void {
    this.userMs = 0;
    this.systemMs = 0;
  }
}
