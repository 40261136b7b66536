import { SyntheticDirectory, type Caller } from '@tsv/vfs';
import { PAGE_BYTES } from '@tsv/platform';
import type { IpcObject } from '../ipc/ipc-object.js';
import type { IpcNamespace } from '../namespace/ipc-namespace.js';
import type { PidNamespace } from '../namespace/pid-namespace.js';
import type { Pid } from '../namespace/pid.js';
import type { UserNamespace } from '../namespace/user-namespace.js';
import { Task } from '../task/task.js';
import { GeneratedFile } from './generated-file.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** Who reads: what numbers mean depends on it. */
interface Reader {
  readonly ipc: IpcNamespace;
  readonly userNs: UserNamespace;
  readonly pidNs: PidNamespace;
}

/** /proc/sysvipc, proc_sysvipc(5): the objects of the reader's IPC namespace. */
export function createSysvipcDirectory(fs: ProcFileSystem): SyntheticDirectory {
  const directory = new SyntheticDirectory(fs, 0o555);
  const file = (name: string, make: (reader: Reader) => string): void => {
    directory.add(name, new GeneratedFile(fs, (caller) => make(readerOf(fs, caller))));
  };
  file('msg', formatMessageQueues);
  file('sem', formatSemaphoreSets);
  file('shm', formatSegments);
  return directory;
}

function readerOf(fs: ProcFileSystem, caller: Caller): Reader {
  const { kernel, pidNs } = fs;
  if (!(caller instanceof Task)) return { ipc: kernel.ns.ipc, userNs: kernel.userNs, pidNs };
  return { ipc: caller.ns.ipc, userNs: caller.creds.userNs, pidNs };
}

const cell = (value: number | string, width: number): string => String(value).padStart(width);
const pid = (reader: Reader, of: Pid | null): string => cell(of?.in(reader.pidNs) ?? 0, 5);

function identity(object: IpcObject): string {
  return `${cell(object.key, 10)} ${cell(object.id, 10)}  ${cell((object.mode & 0o7777).toString(8), 4)}`;
}

function owners(reader: Reader, object: IpcObject): string {
  const { userNs } = reader;
  const ids = [
    userNs.uidInside(object.uid),
    userNs.gidInside(object.gid),
    userNs.uidInside(object.creatorUid),
    userNs.gidInside(object.creatorGid),
  ];
  return ids.map((id) => cell(id, 5)).join(' ');
}

const times = (...values: number[]): string => values.map((value) => cell(value, 10)).join(' ');

function formatMessageQueues(reader: Reader): string {
  let text =
    '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n';
  for (const queue of reader.ipc.msg.all()) {
    const amount = `${cell(queue.byteCount, 10)} ${cell(queue.messages.length, 10)}`;
    const pids = `${pid(reader, queue.lastSender)} ${pid(reader, queue.lastReceiver)}`;
    const when = times(queue.sentAt, queue.receivedAt, queue.changedAt);
    text += `${identity(queue)}  ${amount} ${pids} ${owners(reader, queue)} ${when}\n`;
  }
  return text;
}

function formatSemaphoreSets(reader: Reader): string {
  let text = '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n';
  for (const set of reader.ipc.sem.all()) {
    const when = times(set.operatedAt, set.changedAt);
    text += `${identity(set)} ${cell(set.count, 10)} ${owners(reader, set)} ${when}\n`;
  }
  return text;
}

function formatSegments(reader: Reader): string {
  let text =
    '       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n';
  for (const segment of reader.ipc.shm.all()) {
    const pids = `${pid(reader, segment.creatorPid)} ${pid(reader, segment.lastPid)}`;
    const when = times(segment.attachedAt, segment.detachedAt, segment.changedAt);
    const memory = `${cell(segment.pageCount * PAGE_BYTES, 21)} ${cell(0, 21)}`;
    text += `${identity(segment)} ${cell(segment.sizeBytes, 21)} ${pids}  ${cell(segment.attachCount, 5)} ${owners(reader, segment)} ${when} ${memory}\n`;
  }
  return text;
}
