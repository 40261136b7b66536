import { EFAULT, RLIMIT_NOFILE, type Errno } from '@tsv/abi';
import { REG_RIP, REG_RSP } from '@tsv/platform';
import type { Caller } from '@tsv/vfs';
import type { Credentials } from '../cred/credentials.js';
import type { FdTable } from '../fd/fd-table.js';
import type { Kernel } from '../kernel.js';
import { UserIo } from '../mm/user-io.js';
import type { NsProxy } from '../namespace/ns-proxy.js';
import type { Pid } from '../namespace/pid.js';
import type { SeccompFilter } from '../seccomp/seccomp-filter.js';
import { SignalActions } from '../signal/signal-actions.js';
import { TaskSignals } from '../signal/task-signals.js';
import { enroll } from './birth.js';
import { commOf } from './exec.js';
import type { FsContext } from './fs-context.js';
import { loadExecutable } from './load-executable.js';
import { openExecutable } from './open-executable.js';
import { ResourceLimits } from './resource-limits.js';
import { ProcessGroup, Session } from './session.js';
import { Task } from './task.js';
import { ThreadGroup } from './thread-group.js';

/** What a program is started with. References (`fds`, `fs`) are taken over, on success and on failure. */
export interface CreateProcessArgs {
  /** Byte strings. A path without a slash is looked up from the working directory, as execve(2) does. */
  readonly path: string;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly creds: Credentials;
  readonly fds: FdTable;
  readonly fs: FsContext;
  /** Linux's defaults when absent. */
  readonly limits?: ResourceLimits;
  /** The kernel's first namespaces when absent. */
  readonly ns?: NsProxy;
  /** prctl(2) PR_SET_NO_NEW_PRIVS from the start. */
  readonly hasNoNewPrivs?: boolean;
  /** The container that it and its descendants belong to. */
  readonly containerId?: string;
  /** Filters of its system calls from the start, seccomp(2). */
  readonly seccomp?: SeccompFilter;
  /** Its ID, which was allocated before in its PID namespace; a new one when absent. */
  readonly pid?: Pid;
}

/**
 * Starts a program as the leader of a new session: process 1 if its PID namespace has none yet, a process without a
 * parent otherwise. It runs when the dispatcher is pumped. Errors: what execve(2) and fork(2) return.
 */
export function createProcess(kernel: Kernel, args: CreateProcessArgs): ThreadGroup | Errno {
  const task = createTask(kernel, args);
  if (typeof task === 'number') {
    args.fds.decRef(callerOf(args));
    args.fs.decRef();
    return task;
  }
  kernel.dispatcher.start(task);
  return task.threadGroup;
}

function createTask(kernel: Kernel, args: CreateProcessArgs): Task | Errno {
  const caller = callerOf(args);
  const limits = args.limits ?? ResourceLimits.defaults();
  const file = openExecutable(kernel, caller, args.fs.cwd, args.path, 0);
  if (typeof file === 'number') return file;
  const loaded = loadExecutable(
    kernel,
    caller,
    { creds: args.creds, hasNoNewPrivs: args.hasNoNewPrivs ?? false, limits, personality: 0 },
    file,
    args.path,
    args.argv,
    args.envp,
  );
  file.decRef();
  if (typeof loaded === 'number') return loaded;
  const ns = args.ns ?? kernel.ns;
  const pid = args.pid ?? ns.pidForChildren.allocate();
  if (typeof pid === 'number') {
    loaded.mm.decRef();
    return pid;
  }
  const context = loaded.mm.addressSpace.createContext(null);
  if (typeof context === 'number') {
    loaded.mm.decRef();
    pid.releaseIfUnused();
    return context;
  }
  context.page.set(REG_RIP, loaded.entry);
  context.page.set(REG_RSP, loaded.stackPointer);
  const group = new ThreadGroup(kernel, new SignalActions(), limits);
  group.containerId = args.containerId ?? '';
  group.cgroup = ns.cgroup.root;
  const task = new Task(
    {
      kernel,
      threadPid: pid,
      threadGroup: group,
      context,
      mm: loaded.mm,
      fds: args.fds,
      fs: args.fs,
      creds: loaded.creds,
      ns,
      signals: new TaskSignals(group),
      comm: commOf(args.path),
    },
    new UserIo(),
  );
  task.hasNoNewPrivs = args.hasNoNewPrivs ?? false;
  task.seccomp = args.seccomp ?? null;
  task.fds.limit = limits.soft(RLIMIT_NOFILE);
  enroll(task);
  foundSession(group, pid);
  return task;
}

/** Makes `group` the leader of a new session, and the init of its PID namespace when it is process 1 there. */
export function foundSession(group: ThreadGroup, pid: Pid): void {
  if (pid.ns.init === null && pid.number === 1) {
    pid.ns.init = group;
    group.isNamespaceInit = true;
  }
  new ProcessGroup(pid, new Session(group)).add(group);
}

/** Who opens the program before there is a task. */
function callerOf(args: CreateProcessArgs): Caller {
  const { creds, fs } = args;
  return { creds, umask: fs.umask, root: fs.root, cwd: fs.cwd, memory: NO_MEMORY };
}

/** No process calls: there is no memory to copy from. */
const NO_MEMORY = {
  copyIn: (): number => -EFAULT,
  copyOut: (): number => -EFAULT,
};
