import { sysMqGetsetattr, sysMqNotify, sysMqOpen, sysMqTimedreceive, sysMqTimedsend, sysMqUnlink } from './mq.js';
import { sysMsgctl, sysMsgget, sysMsgrcv, sysMsgsnd } from './msg.js';
import { sysSemctl, sysSemget, sysSemop, sysSemtimedop } from './sem.js';
import { sysShmat, sysShmctl, sysShmdt, sysShmget } from './shm.js';
import type { Syscall } from './syscall.js';

/** Interprocess communication, sysvipc(7) and mq_overview(7). */
export const IPC_SYSCALLS: readonly Syscall[] = [
  // shm.ts
  { nr: 29, name: 'shmget', run: sysShmget, partial: 'SHM_HUGETLB: ENOMEM' },
  { nr: 30, name: 'shmat', run: sysShmat },
  { nr: 31, name: 'shmctl', run: sysShmctl },
  { nr: 67, name: 'shmdt', run: sysShmdt },
  // sem.ts
  { nr: 64, name: 'semget', run: sysSemget },
  { nr: 65, name: 'semop', run: sysSemop },
  { nr: 66, name: 'semctl', run: sysSemctl },
  { nr: 220, name: 'semtimedop', run: sysSemtimedop },
  // msg.ts
  { nr: 68, name: 'msgget', run: sysMsgget },
  { nr: 69, name: 'msgsnd', run: sysMsgsnd },
  { nr: 70, name: 'msgrcv', run: sysMsgrcv },
  { nr: 71, name: 'msgctl', run: sysMsgctl },
  // mq.ts
  { nr: 240, name: 'mq_open', run: sysMqOpen },
  { nr: 241, name: 'mq_unlink', run: sysMqUnlink },
  { nr: 242, name: 'mq_timedsend', run: sysMqTimedsend },
  { nr: 243, name: 'mq_timedreceive', run: sysMqTimedreceive },
  { nr: 244, name: 'mq_notify', run: sysMqNotify },
  { nr: 245, name: 'mq_getsetattr', run: sysMqGetsetattr },
];
