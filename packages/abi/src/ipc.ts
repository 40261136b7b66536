/** `linux/ipc.h`, `linux/shm.h`, `linux/sem.h` and `linux/msg.h`: System V IPC, sysvipc(7). Layouts of x86-64. */

export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;

export const IPC_RMID = 0;
export const IPC_SET = 1;
export const IPC_STAT = 2;
export const IPC_INFO = 3;

/** `struct ipc64_perm`. */
export const IPC_PERM_KEY = 0;
export const IPC_PERM_UID = 4;
export const IPC_PERM_GID = 8;
export const IPC_PERM_CUID = 12;
export const IPC_PERM_CGID = 16;
export const IPC_PERM_MODE = 20;
export const IPC_PERM_SEQ = 24;
export const SIZEOF_IPC_PERM = 48;

export const SHM_EXEC = 0o100000;
export const SHM_RDONLY = 0o10000;
export const SHM_RND = 0o20000;
export const SHM_REMAP = 0o40000;
export const SHM_HUGETLB = 0o4000;
export const SHM_NORESERVE = 0o10000;
/** Mode bits that IPC_STAT shows. */
export const SHM_DEST = 0o1000;
export const SHM_LOCKED = 0o2000;
export const SHM_LOCK = 11;
export const SHM_UNLOCK = 12;
export const SHM_STAT = 13;
export const SHM_INFO = 14;
export const SHM_STAT_ANY = 15;
/** `struct shmid64_ds`. */
export const SHM_SEGSZ = 48;
export const SHM_ATIME = 56;
export const SHM_DTIME = 64;
export const SHM_CTIME = 72;
export const SHM_CPID = 80;
export const SHM_LPID = 84;
export const SHM_NATTCH = 88;
export const SIZEOF_SHMID_DS = 112;
/** `struct shminfo64`: shmmax, shmmin, shmmni, shmseg, shmall and four unused words. */
export const SIZEOF_SHMINFO = 72;
/** `struct shm_info`: used_ids, shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes. */
export const SIZEOF_SHM_INFO = 48;

export const SEM_UNDO = 0x1000;
export const GETPID = 11;
export const GETVAL = 12;
export const GETALL = 13;
export const GETNCNT = 14;
export const GETZCNT = 15;
export const SETVAL = 16;
export const SETALL = 17;
export const SEM_STAT = 18;
export const SEM_INFO = 19;
export const SEM_STAT_ANY = 20;
/** `struct sembuf`. */
export const SEM_NUM = 0;
export const SEM_OP = 2;
export const SEM_FLG = 4;
export const SIZEOF_SEMBUF = 6;
/** `struct semid64_ds`. */
export const SEM_OTIME = 48;
export const SEM_CTIME = 64;
export const SEM_NSEMS = 80;
export const SIZEOF_SEMID_DS = 104;
/** `struct seminfo`: ten ints. */
export const SIZEOF_SEMINFO = 40;

export const MSG_NOERROR = 0o10000;
export const MSG_EXCEPT = 0o20000;
export const MSG_COPY = 0o40000;
export const MSG_STAT = 11;
export const MSG_INFO = 12;
export const MSG_STAT_ANY = 13;
/** `struct msqid64_ds`. */
export const MSG_STIME = 48;
export const MSG_RTIME = 56;
export const MSG_CTIME = 64;
export const MSG_CBYTES = 72;
export const MSG_QNUM = 80;
export const MSG_QBYTES = 88;
export const MSG_LSPID = 96;
export const MSG_LRPID = 100;
export const SIZEOF_MSQID_DS = 120;
/** `struct msginfo`: seven ints and a short. */
export const SIZEOF_MSGINFO = 32;
