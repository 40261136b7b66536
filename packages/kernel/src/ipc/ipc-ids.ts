import { EEXIST, EIDRM, EINVAL, ENOENT, ENOSPC, IPC_CREAT, IPC_EXCL, IPC_PRIVATE, type Errno } from '@tsv/abi';
import type { Task } from '../task/task.js';
import { IPC_INDEX_BITS, type IpcObject } from './ipc-object.js';

const INDEX_MASK = (1 << IPC_INDEX_BITS) - 1;
const SEQUENCE_MAX = 0xffff;

/** The objects of one kind in an IPC namespace, by identifier and by key. */
export class IpcIds<T extends IpcObject> {
  readonly #countMax: number;
  readonly #byIndex: (T | null)[] = [];
  readonly #byKey = new Map<number, T>();
  #count = 0;
  #sequence = 0;
  #nextIndex = 0;

  /** There are at most `countMax` objects, up to 32768. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#count;
  }

  /** The highest index in use, -1 for none. */
  get indexMax(): number {
    for (let index = this.#byIndex.length - 1; index >= 0; index--) if (this.#byIndex[index] != null) return index;
    return -1;
  }

  /** All objects, by index. */
  *all(): Generator<T> {
    for (const object of this.#byIndex) if (object !== null) yield object;
  }

  /**
   * shmget(2) and kin: the object of `key`, checked by `check`, or one that `make` makes. Errors: EACCES, EEXIST, ENOENT,
   * ENOSPC, and theirs.
   */
  get(task: Task, key: number, flags: number, make: () => T | Errno, check: (found: T) => 0 | Errno): T | Errno {
    const found = key === IPC_PRIVATE ? undefined : this.#byKey.get(key);
    if (found === undefined) {
      if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
      const made = make();
      return typeof made === 'number' ? made : this.#add(made);
    }
    if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) return -EEXIST;
    const status = check(found) || found.checkAccess(task, flags);
    return status < 0 ? status : found;
  }

  /** The object that is identified by `id`. Errors: EINVAL; EIDRM if its place has another object now. */
  lookup(id: number): T | Errno {
    if (id < 0) return -EINVAL;
    const object = this.#byIndex[id & INDEX_MASK] ?? null;
    if (object === null) return -EINVAL;
    return object.id === id ? object : -EIDRM;
  }

  /** The object at `index`, for SHM_STAT and kin. Errors: EINVAL. */
  at(index: number): T | Errno {
    return this.#byIndex[index] ?? -EINVAL;
  }

  /** Takes the key away, so that it is free for another object. */
  forgetKey(object: T): void {
    if (object.key !== IPC_PRIVATE) this.#byKey.delete(object.key);
    object.key = IPC_PRIVATE;
  }

  /** Takes the identifier away. */
  remove(object: T): void {
    object.isRemoved = true;
    if (object.key !== IPC_PRIVATE) this.#byKey.delete(object.key);
    this.#byIndex[object.id & INDEX_MASK] = null;
    this.#count--;
  }

  #add(object: T): T | Errno {
    if (this.#count >= this.#countMax) return -ENOSPC;
    const index = this.#freeIndex();
    object.id = (this.#sequence << IPC_INDEX_BITS) | index;
    while (this.#byIndex.length <= index) this.#byIndex.push(null);
    this.#byIndex[index] = object;
    if (object.key !== IPC_PRIVATE) this.#byKey.set(object.key, object);
    this.#count++;
    return object;
  }

  /** The next free index in turn; the sequence grows when it starts over, so that identifiers come back late. */
  #freeIndex(): number {
    for (;;) {
      if (this.#nextIndex >= this.#countMax) {
        this.#nextIndex = 0;
        this.#sequence = (this.#sequence + 1) & SEQUENCE_MAX;
      }
      const index = this.#nextIndex++;
      if ((this.#byIndex[index] ?? null) === null) return index;
    }
  }
}
