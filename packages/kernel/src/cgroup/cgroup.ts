import { EAGAIN, EBUSY, EEXIST, SIGKILL, type Errno } from '@tsv/abi';
import { killGroup } from '../signal/send-signal.js';
import { CpuTimes } from '../task/cpu-times.js';
import { freeze, FrozenBy, thaw } from '../task/freezer.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { CgroupSettings, CONTROLLERS, type Controller } from './cgroup-settings.js';

/** Cgroups within one another, and of a kernel. Differs: on Linux only memory limits them. */
const DEPTH_MAX = 64;
const DESCENDANTS_MAX = 65_536;

/** A control group, cgroups(7): a node of the tree that processes are sorted into. */
export class Cgroup {
  readonly parent: Cgroup | null;
  readonly name: string;
  /** Rises with every cgroup that is made: a cookie for listings. */
  readonly serial: number;
  readonly children = new Map<string, Cgroup>();
  /** Processes in it, zombies included until they are reaped. */
  readonly members = new Set<ThreadGroup>();
  readonly settings = new CgroupSettings();
  /** Controllers that its children have, cgroup.subtree_control. */
  readonly subtreeControl = new Set<Controller>();
  /** CPU time of processes that are gone, of removed children too. */
  readonly goneTimes = new CpuTimes();
  /** Forks that pids.max has refused, pids.events. */
  refusedForkCount = 0;
  /** Threads in it and below, zombies included, pids.current; and the most that there were. */
  taskCount = 0;
  peakTaskCount = 0;
  peakMemoryBytes = 0;
  isRemoved = false;
  /** Cgroups below it. */
  descendantCount = 0;
  /** Called when cgroup.events has changed; set by who shows it. */
  readonly eventListeners = new Set<() => void>();
  /** Processes in it and below that are no zombies. */
  #liveCount = 0;
  /** It and the cgroups above, the root last. */
  readonly #lineage: readonly Cgroup[];
  static #lastSerial = 0;

  constructor(parent: Cgroup | null, name: string) {
    this.parent = parent;
    this.name = name;
    this.serial = ++Cgroup.#lastSerial;
    this.#lineage = parent === null ? [this] : [this, ...parent.#lineage];
  }

  get isPopulated(): boolean {
    return this.#liveCount > 0;
  }

  /** Whether it, or one above, is frozen. */
  get isFrozen(): boolean {
    return this.#lineage.some(({ settings }) => settings.isFrozen);
  }

  get hasLiveMembers(): boolean {
    for (const group of this.members) if (!group.isZombie) return true;
    return false;
  }

  /** Controllers that its files show. */
  get controllers(): ReadonlySet<Controller> {
    return this.parent === null ? ALL_CONTROLLERS : this.parent.subtreeControl;
  }

  /** Where it is, seen from `root`: `/` for itself, and with `/..` for each step up, cgroup_namespaces(7). */
  pathFrom(root: Cgroup): string {
    const up = root.#lineage.findIndex((ancestor) => this.isBelow(ancestor));
    const below = this.#lineage.slice(0, this.#lineage.indexOf(root.#lineage[up]!));
    const down = below.map(({ name }) => `/${name}`).reverse();
    return '/..'.repeat(up) + down.join('') || '/';
  }

  /** Whether it is `ancestor` or below. */
  isBelow(ancestor: Cgroup): boolean {
    return this.#lineage.includes(ancestor);
  }

  /** It and everything below. */
  *subtree(): Generator<Cgroup> {
    yield this;
    for (const child of this.children.values()) yield* child.subtree();
  }

  /** A new child. Errors: EAGAIN beyond cgroup.max.depth and cgroup.max.descendants, EEXIST. */
  createChild(name: string): Cgroup | Errno {
    if (this.children.has(name)) return -EEXIST;
    if (this.#lineage.length > DEPTH_MAX || this.#lineage.at(-1)!.descendantCount >= DESCENDANTS_MAX) return -EAGAIN;
    for (const [level, { settings, descendantCount }] of this.#lineage.entries()) {
      if (level + 1 > settings.maxDepth || descendantCount >= settings.maxDescendants) return -EAGAIN;
    }
    const child = new Cgroup(this, name);
    this.children.set(name, child);
    for (const cgroup of this.#lineage) cgroup.descendantCount++;
    return child;
  }

  /** Removes it, rmdir(2). Errors: EBUSY while there is something in it. */
  remove(): 0 | Errno {
    if (this.parent === null || this.children.size > 0 || this.isPopulated) return -EBUSY;
    this.isRemoved = true;
    this.parent.children.delete(this.name);
    for (const cgroup of this.parent.#lineage) cgroup.descendantCount--;
    this.parent.goneTimes.add(this.goneTimes);
    return 0;
  }

  /** A process begins its life in it. */
  enter(group: ThreadGroup): void {
    this.members.add(group);
    this.#countLive(1);
    if (this.isFrozen) freeze(group, FrozenBy.CGROUP);
  }

  /** The last thread of a member has exited. */
  memberDied(): void {
    this.#countLive(-1);
  }

  /** A zombie of it is reaped. */
  leave(group: ThreadGroup): void {
    if (!this.members.delete(group)) return;
    this.goneTimes.add(group.exitedTimes);
  }

  /** Moves a live member to `target`. CPU time that it has used stays where it was used only once it is gone. */
  move(group: ThreadGroup, target: Cgroup): void {
    if (target === this) return;
    this.members.delete(group);
    target.members.add(group);
    group.cgroup = target;
    target.#countLive(1);
    this.#countLive(-1);
    target.countTasks(group.tasks.length);
    this.countTasks(-group.tasks.length);
    if (target.isFrozen) freeze(group, FrozenBy.CGROUP);
    else thaw(group, FrozenBy.CGROUP);
  }

  /** Whether `count` more threads may be made in it. Errors: EAGAIN. */
  chargeTasks(count: number): 0 | Errno {
    for (const cgroup of this.#lineage) {
      if (cgroup.taskCount + count <= cgroup.settings.pidsMax) continue;
      cgroup.refusedForkCount++;
      return -EAGAIN;
    }
    return 0;
  }

  /** Memory of processes in it and below, memory.current. */
  get memoryBytes(): number {
    const counted = new Set<object>();
    let byteCount = 0;
    for (const { members } of this.subtree()) {
      for (const { leader, tasks } of members) {
        const { mm } = tasks.find((task) => !task.hasExited) ?? leader;
        if (counted.has(mm)) continue;
        counted.add(mm);
        byteCount += mm.rssBytes;
      }
    }
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, byteCount);
    return byteCount;
  }

  /** CPU time used in it and below, cpu.stat. */
  get cpuTimes(): CpuTimes {
    const times = new CpuTimes();
    for (const { members, goneTimes } of this.subtree()) {
      times.add(goneTimes);
      for (const group of members) {
        times.add(group.exitedTimes);
        for (const task of group.tasks) if (!task.hasExited) times.add(task.times);
      }
    }
    return times;
  }

  /** Sets cgroup.freeze: what is below follows. */
  setFrozen(isFrozen: boolean): void {
    if (this.settings.isFrozen === isFrozen) return;
    this.settings.isFrozen = isFrozen;
    for (const cgroup of this.subtree()) {
      for (const group of cgroup.members) {
        if (cgroup.isFrozen) freeze(group, FrozenBy.CGROUP);
        else thaw(group, FrozenBy.CGROUP);
      }
      cgroup.#tellEvents();
    }
  }

  /** cgroup.kill: every process in it and below. */
  kill(): void {
    for (const { members } of this.subtree()) {
      for (const group of members) if (!group.isZombie) killGroup(group, SIGKILL);
    }
  }

  /** Threads have been made in it, or are gone. */
  countTasks(change: number): void {
    for (const cgroup of this.#lineage) {
      cgroup.taskCount += change;
      if (cgroup.taskCount > cgroup.peakTaskCount) cgroup.peakTaskCount = cgroup.taskCount;
    }
  }

  #countLive(change: 1 | -1): void {
    for (const cgroup of this.#lineage) {
      const wasPopulated = cgroup.isPopulated;
      cgroup.#liveCount += change;
      if (cgroup.isPopulated !== wasPopulated) cgroup.#tellEvents();
    }
  }

  #tellEvents(): void {
    for (const listener of this.eventListeners) listener();
  }
}

const ALL_CONTROLLERS: ReadonlySet<Controller> = new Set(CONTROLLERS);
