import {
  BPF_ABS,
  BPF_JEQ,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_RET,
  BPF_W,
  SECCOMP_DATA_NR,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_KILL_THREAD,
  SIZEOF_SOCK_FILTER,
  SYS_exit,
  SYS_read,
  SYS_rt_sigreturn,
  SYS_write,
} from '@tsv/abi';
import { BpfProgram } from './bpf-program.js';

const ALLOWED = [SYS_read, SYS_write, SYS_exit, SYS_rt_sigreturn];

/** What SECCOMP_SET_MODE_STRICT means, as a filter: read(2), write(2), _exit(2) and sigreturn(2), and death else. */
export function strictProgram(): BpfProgram {
  const count = ALLOWED.length + 3;
  const mem = new DataView(new ArrayBuffer(count * SIZEOF_SOCK_FILTER));
  const put = (index: number, code: number, jumpTrue: number, k: number): void => {
    mem.setUint16(index * SIZEOF_SOCK_FILTER, code, true);
    mem.setUint8(index * SIZEOF_SOCK_FILTER + 2, jumpTrue);
    mem.setUint32(index * SIZEOF_SOCK_FILTER + 4, k, true);
  };
  put(0, BPF_LD | BPF_W | BPF_ABS, 0, SECCOMP_DATA_NR);
  for (const [i, nr] of ALLOWED.entries()) put(i + 1, BPF_JMP | BPF_JEQ | BPF_K, ALLOWED.length - i, nr);
  put(count - 2, BPF_RET | BPF_K, 0, SECCOMP_RET_KILL_THREAD);
  put(count - 1, BPF_RET | BPF_K, 0, SECCOMP_RET_ALLOW);
  const program = BpfProgram.parse(mem, count);
  if (typeof program === 'number') throw new Error('strictProgram: the program is not valid');
  return program;
}
