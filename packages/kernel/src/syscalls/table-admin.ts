import { sysAdjtimex, sysClockAdjtime } from './adjtimex.js';
import { sysFutexRequeue, sysFutexWait, sysFutexWake } from './futex2.js';
import { sysAddKey, sysKeyctl, sysRequestKey } from './keyctl.js';
import {
  sysGetMempolicy,
  sysMbind,
  sysMigratePages,
  sysMovePages,
  sysSetMempolicy,
  sysSetMempolicyHomeNode,
} from './mempolicy.js';
import {
  sysFsconfig,
  sysFsmount,
  sysFsopen,
  sysFspick,
  sysMountSetattr,
  sysMoveMount,
  sysOpenTree,
} from './mount-api.js';
import { sysIopl, sysNotPermitted } from './not-permitted.js';
import { sysProcessMadvise } from './process-madvise.js';
import type { Syscall } from './syscall.js';

/** The note on what only the host's administrator could do. */
const DENIED = 'EPERM';

/** Mounts by descriptor, keys, NUMA policies and what administrators ask for. */
export const ADMIN_SYSCALLS: readonly Syscall[] = [
  // mount-api.ts
  { nr: 428, name: 'open_tree', run: sysOpenTree },
  { nr: 429, name: 'move_mount', run: sysMoveMount, partial: 'MOVE_MOUNT_SET_GROUP, MOVE_MOUNT_BENEATH: EINVAL' },
  { nr: 430, name: 'fsopen', run: sysFsopen },
  { nr: 431, name: 'fsconfig', run: sysFsconfig, partial: 'parameters are strings and flags' },
  { nr: 432, name: 'fsmount', run: sysFsmount },
  { nr: 433, name: 'fspick', run: sysFspick },
  { nr: 442, name: 'mount_setattr', run: sysMountSetattr, partial: 'MOUNT_ATTR_IDMAP: EINVAL' },
  // keyctl.ts
  { nr: 248, name: 'add_key', run: sysAddKey, partial: 'types user, logon and keyring' },
  { nr: 249, name: 'request_key', run: sysRequestKey, partial: 'nobody makes keys that are not there' },
  { nr: 250, name: 'keyctl', run: sysKeyctl, partial: 'no public keys, persistent keyrings or restrictions' },
  // mempolicy.ts
  { nr: 237, name: 'mbind', run: sysMbind, partial: 'one node' },
  { nr: 238, name: 'set_mempolicy', run: sysSetMempolicy, partial: 'one node' },
  { nr: 239, name: 'get_mempolicy', run: sysGetMempolicy, partial: 'one node' },
  { nr: 256, name: 'migrate_pages', run: sysMigratePages, partial: 'one node' },
  { nr: 279, name: 'move_pages', run: sysMovePages, partial: 'one node' },
  { nr: 450, name: 'set_mempolicy_home_node', run: sysSetMempolicyHomeNode, partial: 'one node' },
  // process-madvise.ts
  { nr: 440, name: 'process_madvise', run: sysProcessMadvise },
  // futex2.ts
  { nr: 454, name: 'futex_wake', run: sysFutexWake },
  { nr: 455, name: 'futex_wait', run: sysFutexWait },
  { nr: 456, name: 'futex_requeue', run: sysFutexRequeue },
  // adjtimex.ts
  { nr: 159, name: 'adjtimex', run: sysAdjtimex, partial: "changes: EPERM, the clock is the host's" },
  { nr: 305, name: 'clock_adjtime', run: sysClockAdjtime, partial: "changes: EPERM, the clock is the host's" },
  // not-permitted.ts
  { nr: 153, name: 'vhangup', run: sysNotPermitted, partial: DENIED },
  { nr: 163, name: 'acct', run: sysNotPermitted, partial: DENIED },
  { nr: 167, name: 'swapon', run: sysNotPermitted, partial: DENIED },
  { nr: 168, name: 'swapoff', run: sysNotPermitted, partial: DENIED },
  { nr: 172, name: 'iopl', run: sysIopl, partial: DENIED },
  { nr: 173, name: 'ioperm', run: sysNotPermitted, partial: DENIED },
  { nr: 175, name: 'init_module', run: sysNotPermitted, partial: DENIED },
  { nr: 176, name: 'delete_module', run: sysNotPermitted, partial: DENIED },
  { nr: 246, name: 'kexec_load', run: sysNotPermitted, partial: DENIED },
  { nr: 313, name: 'finit_module', run: sysNotPermitted, partial: DENIED },
  { nr: 320, name: 'kexec_file_load', run: sysNotPermitted, partial: DENIED },
];
