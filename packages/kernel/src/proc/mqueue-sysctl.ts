import { type Errno } from '@tsv/abi';
import type { Caller } from '@tsv/vfs';
import {
  MESSAGES_MAX,
  MESSAGE_BYTES_LIMIT_MIN,
  MESSAGE_BYTES_MAX,
  type MqueueLimits,
} from '../ipc/mqueue/mqueue-limits.js';
import { Task } from '../task/task.js';
import { SettableFile, parseSetting } from './generated-file.js';
import type { ProcFileSystem } from './proc-file-system.js';

const INT_MAX = 0x7fffffff;

/** The lowest and the highest value that each limit can have. */
const RANGES: Readonly<Record<keyof MqueueLimits, readonly [min: number, max: number]>> = {
  queues_max: [0, INT_MAX],
  msg_max: [1, MESSAGES_MAX],
  msgsize_max: [MESSAGE_BYTES_LIMIT_MIN, MESSAGE_BYTES_MAX],
  msg_default: [1, MESSAGES_MAX],
  msgsize_default: [MESSAGE_BYTES_LIMIT_MIN, MESSAGE_BYTES_MAX],
};

/** The files of /proc/sys/fs/mqueue, mq_overview(7): limits of the IPC namespace of whoever asks. */
export function mqueueSysctls(fs: ProcFileSystem): [name: string, file: SettableFile][] {
  const limits = (caller: Caller): MqueueLimits => (caller instanceof Task ? caller.ns : fs.kernel.ns).ipc.mqueueLimits;
  return (Object.keys(RANGES) as (keyof MqueueLimits)[]).map((name) => [
    name,
    new SettableFile(
      fs,
      (caller) => `${limits(caller)[name]}\n`,
      (text, caller): 0 | Errno => {
        const value = parseSetting(text, ...RANGES[name]);
        if (value < 0) return value;
        limits(caller)[name] = value;
        return 0;
      },
    ),
  ]);
}
