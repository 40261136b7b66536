/**
 * Limits of System V IPC, as /proc/sys/kernel tells them. Differs: the numbers of semaphores and queues are lower than
 * Linux's, whose maximum would be gigabytes of the kernel's own memory.
 */

/** SHMMNI. */
export const SHM_SEGMENTS_MAX = 4096;
/** SHMALL: pages of all segments; what the memory file can hold. */
export const SHM_PAGES_MAX = 2 ** 28;
/** SEMMSL: semaphores of a set. */
export const SEMAPHORES_PER_SET_MAX = 32000;
/** SEMMNS: semaphores of all sets. */
export const SEMAPHORES_MAX = 1_024_000;
/** SEMOPM: operations of one semop(2). */
export const SEMAPHORE_OPERATIONS_MAX = 500;
/** SEMMNI. */
export const SEMAPHORE_SETS_MAX = 32000;
/** MSGMNI. */
export const MESSAGE_QUEUES_MAX = 4096;
