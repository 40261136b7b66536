import { syscallName } from '@tsv/abi';
import { SYSCALLS } from '@tsv/kernel';

/** Highest number of a system call that has a name here. */
const SYSCALL_NR_MAX = 462;

/** Every system call of x86-64 Linux with whether it exists here, for `tsv help syscalls` and docs/syscalls.md. */
export function describeSyscalls(): { nr: number; name: string; support: string; note: string }[] {
  const known = new Map(SYSCALLS.map((syscall) => [syscall.nr, syscall]));
  const rows = [];
  for (let nr = 0; nr <= SYSCALL_NR_MAX; nr++) {
    const name = syscallName(nr);
    if (name.startsWith('syscall_')) continue;
    const syscall = known.get(nr);
    const support = syscall === undefined ? 'ENOSYS' : syscall.partial === undefined ? 'full' : 'partial';
    rows.push({ nr, name, support, note: syscall?.partial ?? '' });
  }
  return rows;
}
