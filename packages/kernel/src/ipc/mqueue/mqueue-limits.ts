/** HARD_MSGMAX and HARD_MSGSIZEMAX of mq_overview(7): what nobody may pass. */
export const MESSAGES_MAX = 65536;
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** The lowest value of msgsize_max and msgsize_default. */
export const MESSAGE_BYTES_LIMIT_MIN = 128;
/**
 * What all queues of a namespace may hold. Differs: on Linux a process with CAP_SYS_RESOURCE is limited by its
 * RLIMIT_MSGQUEUE only, which it can raise; here the messages are memory of the kernel's own.
 */
export const NAMESPACE_BYTES_MAX = 256 * 1024 * 1024;

/** Queues that even those may make who pass queues_max. */
export const QUEUES_MAX = 32_768;

/** /proc/sys/fs/mqueue of an IPC namespace, mq_overview(7). */
export class MqueueLimits {
  queues_max = 256;
  msg_max = 10;
  msgsize_max = 8192;
  msg_default = 10;
  msgsize_default = 8192;
}
