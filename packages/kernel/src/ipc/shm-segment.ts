import {
  SHM_ATIME,
  SHM_CPID,
  SHM_CTIME,
  SHM_DEST,
  SHM_DTIME,
  SHM_LPID,
  SHM_NATTCH,
  SHM_SEGSZ,
  storeI64,
} from '@tsv/abi';
import type { Mappable, MappingObserver } from '@tsv/vfs';
import { pageCeil } from '../mm/pma.js';
import { SharedAnonymous } from '../mm/shared-anonymous.js';
import type { Pid } from '../namespace/pid.js';
import type { Task } from '../task/task.js';
import type { IpcIds } from './ipc-ids.js';
import { IpcObject, nowSeconds } from './ipc-object.js';

/** A segment of System V shared memory, shmget(2). It lives until it is marked for removal and nothing is attached. */
export class ShmSegment extends IpcObject {
  /** Size as it was asked for; the memory has whole pages. */
  readonly sizeBytes: number;
  readonly memory: SharedAnonymous;
  attachCount = 0;
  attachedAt = 0;
  detachedAt = 0;
  readonly creatorPid: Pid;
  lastPid: Pid | null = null;
  readonly #ids: IpcIds<ShmSegment>;

  constructor(creator: Task, ids: IpcIds<ShmSegment>, key: number, mode: number, sizeBytes: number) {
    super(creator, key, mode);
    this.#ids = ids;
    this.sizeBytes = sizeBytes;
    this.creatorPid = creator.threadGroup.leader.threadPid;
    this.memory = new SharedAnonymous(creator.kernel.memoryFile, pageCeil(sizeBytes));
    this.memory.hold();
  }

  get pageCount(): number {
    return pageCeil(this.sizeBytes) / 4096;
  }

  /** IPC_RMID: it goes when nothing is attached, and has no key until then. */
  markForRemoval(): void {
    this.mode |= SHM_DEST;
    this.#ids.forgetKey(this);
    this.#removeIfUnused();
  }

  /** An address space has mapped it. */
  attached(task: Task | null): void {
    this.attachCount++;
    if (task !== null) this.#touch(task, 'attachedAt');
  }

  /** An address space has given it up. */
  detached(task: Task | null): void {
    this.attachCount--;
    if (task !== null) this.#touch(task, 'detachedAt');
    this.#removeIfUnused();
  }

  /** Stores a `struct shmid64_ds` as `task` sees it; the memory is zero. */
  store(task: Task, mem: DataView, at: number): void {
    this.storePerm(task, mem, at);
    storeI64(mem, at + SHM_SEGSZ, this.sizeBytes);
    storeI64(mem, at + SHM_ATIME, this.attachedAt);
    storeI64(mem, at + SHM_DTIME, this.detachedAt);
    storeI64(mem, at + SHM_CTIME, this.changedAt);
    mem.setInt32(at + SHM_CPID, this.creatorPid.in(task.pidNs), true);
    mem.setInt32(at + SHM_LPID, this.lastPid?.in(task.pidNs) ?? 0, true);
    storeI64(mem, at + SHM_NATTCH, this.attachCount);
  }

  #touch(task: Task, when: 'attachedAt' | 'detachedAt'): void {
    this[when] = nowSeconds(task);
    this.lastPid = task.threadGroup.leader.threadPid;
  }

  #removeIfUnused(): void {
    if ((this.mode & SHM_DEST) === 0 || this.attachCount > 0 || this.isRemoved) return;
    this.#ids.remove(this);
    this.memory.drop();
  }
}

/** One shmat(2): a source of pages that counts who maps it. */
export class ShmAttachment implements Mappable {
  readonly hostFd = -1;
  readonly segment: ShmSegment;
  readonly sizeBytes: number;
  runCount = 0;
  readonly #task: () => Task | null;

  /** `currentTask` says who acts when a mapping comes or goes. */
  constructor(segment: ShmSegment, currentTask: () => Task | null) {
    this.segment = segment;
    this.sizeBytes = segment.memory.sizeBytes;
    this.#task = currentTask;
  }

  pageRun(pageIndex: number, countMax: number, mayAllocate: boolean): number {
    const { memory } = this.segment;
    const pfn = memory.pageRun(pageIndex, countMax, mayAllocate);
    this.runCount = memory.runCount;
    return pfn;
  }

  addMapping(_observer: MappingObserver): void {
    this.segment.attached(this.#task());
  }

  removeMapping(_observer: MappingObserver): void {
    this.segment.detached(this.#task());
  }
}
