import { PROT_READ, PROT_WRITE } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import {
  PAGE_BYTES,
  REG_R10,
  REG_R8,
  REG_R9,
  REG_RAX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
} from '@tsv/platform';
import { TmpfsFileSystem, type MountNamespace } from '@tsv/vfs';
import { Credentials } from '../cred/credentials.js';
import { FdTable } from '../fd/fd-table.js';
import { Kernel } from '../kernel.js';
import { makeLayout } from '../mm/layout.js';
import { Placement } from '../mm/map-request.js';
import { Mm } from '../mm/mm.js';
import { UserIo } from '../mm/user-io.js';
import { SignalActions } from '../signal/signal-actions.js';
import { TaskSignals } from '../signal/task-signals.js';
import { BLOCKED, TASK_GONE } from '../syscalls/syscall.js';
import { enroll } from '../task/birth.js';
import { foundSession } from '../task/create-process.js';
import { FsContext } from '../task/fs-context.js';
import { ResourceLimits } from '../task/resource-limits.js';
import { Task, TaskState } from '../task/task.js';
import { ThreadGroup } from '../task/thread-group.js';
import { FakeContext, FakePlatform } from './fake-platform.js';
import { HeapMemoryFile } from './heap-memory-file.js';

/** Memory that every process of {@link TestKernel.spawn} has, readable and writable. */
export const DATA_ADDR = 0x10_0000;
export const DATA_BYTES = 16 * PAGE_BYTES;
/** Where its stack pointer begins, inside of that memory. */
export const STACK_TOP = DATA_ADDR + DATA_BYTES - 64;
/** Where it executes. Nothing is mapped there: a test plays the guest. */
export const CODE_ADDR = 0x40_0000;
/** An address that is never mapped. */
export const BAD_ADDR = 0x1000_0000;

const ARGUMENTS = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9];
const EPOCH_MS = 1_700_000_000_000;

/**
 * A kernel whose guests a test plays: memory is on the heap, time moves when told, and `call` is the guest's `syscall`
 * instruction.
 */
export class TestKernel {
  readonly clock = new VirtualClock(1_000_000, EPOCH_MS);
  readonly platform = new FakePlatform();
  readonly memoryFile = new HeapMemoryFile();
  readonly kernel: Kernel;
  rootNamespace: MountNamespace;
  readonly logLines: string[] = [];
  #randomByte = 0;

  constructor() {
    this.kernel = new Kernel({
      platform: this.platform,
      memoryFile: this.memoryFile,
      clock: this.clock,
      random: (dst) => {
        for (let i = 0; i < dst.length; i++) dst[i] = this.#randomByte = (this.#randomByte * 5 + 113) & 0xff;
      },
      vdso: { imagePfn: 0, imagePageCount: 0, paramPfn: 0 },
      cpuCount: 2,
      totalMemoryBytes: 2 ** 30,
      hostname: 'box',
      log: (level, message) => this.logLines.push(`${level}: ${message}`),
    });
    const { vfs } = this.kernel;
    const tmpfs = new TmpfsFileSystem({
      pool: this.memoryFile,
      clock: this.clock,
      dev: vfs.allocateDev(),
      mode: 0o755,
    });
    this.rootNamespace = vfs.createNamespace(tmpfs);
  }

  /** A process that runs: process 1 at first, later ones its siblings, each the leader of its own session. */
  spawn(creds: Credentials = Credentials.forUser(this.kernel.userNs, 0, 0)): Task {
    const { kernel } = this;
    const limits = ResourceLimits.defaults();
    const group = new ThreadGroup(kernel, new SignalActions(), limits);
    const root = kernel.vfs.rootOf(this.rootNamespace);
    const fs = new FsContext(kernel.vfs, this.rootNamespace, root, root);
    root.decRef();
    const reader = { creds, umask: 0o22, root: fs.root, cwd: fs.cwd, memory: NO_MEMORY };
    const space = this.platform.createAddressSpace();
    const layout = makeLayout(this.platform, limits, null);
    const mm = new Mm({ memory: this.memoryFile, space, layout, limits, reader });
    mapData(mm);
    const context = expectObject(space.createContext(null));
    context.page.set(REG_RIP, CODE_ADDR);
    context.page.set(REG_RSP, STACK_TOP);
    const threadPid = expectObject(kernel.pidNs.allocate());
    const signals = new TaskSignals(group);
    const { ns } = kernel;
    const task = new Task(
      { kernel, threadPid, threadGroup: group, context, mm, fds: new FdTable(), fs, creds, ns, signals, comm: 'test' },
      new UserIo(),
    );
    enroll(task);
    foundSession(group, threadPid);
    kernel.dispatcher.start(task);
    return task;
  }

  /**
   * The guest of `task`, which runs, makes a system call. Returns what it finds in rax, BLOCKED while it waits, or
   * TASK_GONE.
   */
  call(task: Task, nr: number, ...args: number[]): number {
    if (!task.isInGuest) throw new Error(`call: task ${task.tid} does not run`);
    const { page } = task;
    page.set(REG_RAX, nr);
    for (const [i, reg] of ARGUMENTS.entries()) page.set(reg, args[i] ?? 0);
    this.contextOf(task).stopForSyscall(nr);
    this.pump();
    return this.result(task);
  }

  /** What the last system call of `task` has come to. */
  result(task: Task): number {
    if (task.hasExited) return TASK_GONE;
    if (task.state === TaskState.BLOCKED || task.state === TaskState.STOPPED) return BLOCKED;
    return (task.page.high(REG_RAX) | 0) * 2 ** 32 + task.page.low(REG_RAX);
  }

  /** The kernel serves everything that is due. */
  pump(): void {
    this.kernel.dispatcher.pump(Infinity);
  }

  /** Time passes, and what becomes due is served. */
  advance(ms: number): void {
    this.clock.advance(ms);
    this.pump();
  }

  contextOf(task: Task): FakeContext {
    if (!(task.context instanceof FakeContext)) throw new Error('contextOf: not a context of the fake platform');
    return task.context;
  }

  /** The task called `tid` in the root PID namespace. */
  task(tid: number): Task {
    return expectObject(this.kernel.tasks.taskOf(tid) ?? -1);
  }

  /** Writes bytes, or a string and its NUL, into the memory of `task`. Returns `addr`. */
  put(task: Task, addr: number, content: Uint8Array | string): number {
    const bytes = typeof content === 'string' ? byteString(`${content}\0`) : content;
    if (task.mm.copyOut(addr, bytes, 0, bytes.length) < 0) throw new Error('put: the address is not mapped');
    return addr;
  }

  /** Reads bytes out of the memory of `task`. */
  peek(task: Task, addr: number, len: number): DataView {
    const bytes = new Uint8Array(len);
    if (task.mm.copyIn(bytes, 0, addr, len) < 0) throw new Error('peek: the address is not mapped');
    return new DataView(bytes.buffer);
  }
}

/** `text`, one character a byte, as bytes. */
export function byteString(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const NO_MEMORY = {
  copyIn: (): number => -1,
  copyOut: (): number => -1,
};

function mapData(mm: Mm): void {
  const addr = mm.map({
    addr: DATA_ADDR,
    len: DATA_BYTES,
    prot: PROT_READ | PROT_WRITE,
    flags: 0,
    placement: Placement.FIXED,
    mappable: null,
    file: null,
    offset: 0,
    name: '',
    mustPopulate: false,
  });
  if (addr !== DATA_ADDR) throw new Error(`mapData: ${addr}`);
}

function expectObject<T>(value: T | number): T {
  if (typeof value === 'number') throw new Error(`expected an object, got ${value}`);
  return value;
}
