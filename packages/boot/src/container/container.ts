import {
  FrozenBy,
  freeze,
  thaw,
  type Kernel,
  type NsProxy,
  type Pid,
  type SeccompFilter,
  type ThreadGroup,
} from '@tsv/kernel';
import type { Process, Spec } from '@tsv/oci';
import type { ContainerFiles } from '../container-mounter.js';
import type { NamespaceOwner } from './container-namespaces.js';
import { pidNamespacePath } from './container-namespaces.js';
import type { GuestProcess } from './guest-process.js';
import type { ProcessStarter } from './process-starter.js';
import type { StandIn } from './stand-in.js';
import { exitStatusOf } from './wait-status.js';

/** Exec'd processes that have ended and that nobody waited for yet. */
const UNCLAIMED_MAX = 256;

/** What a container is made of. */
export interface ContainerParts {
  readonly id: string;
  readonly spec: Spec;
  readonly bundleDir: string;
  readonly process: Process;
  readonly files: ContainerFiles;
  readonly ns: NsProxy;
  readonly seccomp: SeccompFilter | null;
  readonly starter: ProcessStarter;
  readonly standIn: StandIn | null;
}

/** A container inside its sandbox. */
export class Container implements NamespaceOwner {
  readonly id: string;
  readonly spec: Spec;
  readonly bundleDir: string;
  readonly process: Process;
  readonly files: ContainerFiles;
  readonly ns: NsProxy;
  readonly seccomp: SeccompFilter | null;
  readonly pidNsPath: string | null;
  readonly standIn: StandIn | null;
  /** Resolves with the wait status of the first process, when it has exited. */
  readonly ended: Promise<number>;
  /** Its first process; null before it was started. */
  init: GuestProcess | null = null;
  isPaused = false;
  /** CPU time of its processes that have exited, in milliseconds. */
  exitedUserMs = 0;
  exitedSystemMs = 0;
  #hasEnded = false;
  #settle!: (status: number) => void;
  readonly #starter: ProcessStarter;
  readonly #kernel: Kernel;
  /** Executed processes by their ID in the container's PID namespace, until somebody has waited for them. */
  readonly #executed = new Map<number, GuestProcess>();

  constructor(kernel: Kernel, parts: ContainerParts) {
    this.#kernel = kernel;
    this.id = parts.id;
    this.spec = parts.spec;
    this.bundleDir = parts.bundleDir;
    this.process = parts.process;
    this.files = parts.files;
    this.ns = parts.ns;
    this.seccomp = parts.seccomp;
    this.pidNsPath = pidNamespacePath(parts.spec);
    this.standIn = parts.standIn;
    this.#starter = parts.starter;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get hostPid(): number {
    return this.standIn?.hostPid ?? 0;
  }

  /** Whether it has not been started. */
  get isCreated(): boolean {
    return this.init === null && !this.#hasEnded;
  }
  get isRunning(): boolean {
    return this.init !== null && !this.#hasEnded;
  }

  /** Runs its first process, whose ID may have been allocated before. Throws {@link SandboxError}. */
  start(pid: Pid | null): GuestProcess {
    this.init = this.#starter.start(pid);
    return this.init;
  }

  /** Its first process has exited. */
  finish(status: number): void {
    this.#hasEnded = true;
    this.#settle(status);
  }

  /** It will not be started: a signal has ended it. */
  abandon(signo: number): void {
    this.#starter.discard();
    this.standIn?.exit(exitStatusOf(signo));
    this.finish(signo);
  }

  /** Its processes, zombies included. */
  get threadGroups(): ThreadGroup[] {
    return [...this.#kernel.tasks.threadGroups()].filter((group) => group.containerId === this.id);
  }

  /** Notes a process that was executed in it; `pid` is its ID in the container. */
  addExecuted(pid: number, process: GuestProcess): void {
    this.#executed.set(pid, process);
    for (const [oldPid, old] of this.#executed) {
      if (this.#executed.size <= UNCLAIMED_MAX) break;
      if (old.status !== null) this.#executed.delete(oldPid);
    }
  }

  /** The executed process that has this ID in the container. */
  executed(pid: number): GuestProcess | undefined {
    return this.#executed.get(pid);
  }

  /** Somebody has waited for an executed process. */
  forgetExecuted(pid: number): void {
    this.#executed.delete(pid);
  }

  /** No guest code of it runs until {@link resume}. */
  pause(): void {
    this.isPaused = true;
    for (const group of this.threadGroups) freeze(group, FrozenBy.PAUSE);
  }

  resume(): void {
    this.isPaused = false;
    for (const group of this.threadGroups) thaw(group, FrozenBy.PAUSE);
    this.#kernel.platform.wake();
  }
}
