import { PTRACE_EVENT_EXEC, SIGCHLD, type Errno } from '@tsv/abi';
import { REG_CS, REG_EFLAGS, REG_ORIG_RAX, REG_RIP, REG_RSP, REG_SS, type Context } from '@tsv/platform';
import type { OpenFile } from '@tsv/vfs';
import { isPrivilegedChange } from '../cred/exec-credentials.js';
import type { Credentials } from '../cred/credentials.js';
import { dropKeyringsOfProgram } from '../keys/task-keyrings.js';
import type { Mm } from '../mm/mm.js';
import { exitOtherThreads, releaseMemory } from './exit.js';
import { loadExecutable, type ExecIdentity } from './load-executable.js';
import type { Task } from './task.js';

/** Segments of 64-bit user code, and flags of a new program, as Linux has them: a tracer looks at them. */
const USER_CS = 0x33;
const USER_DS = 0x2b;
const INITIAL_FLAGS = 0x202;
/** Longest command name, as PR_SET_NAME counts. */
const COMM_BYTES_MAX = 15;

/**
 * Replaces the program of `task`, execve(2). `file` is the opened program, `path` what it was called. Returns 0: registers are set. Errors leave the task as it was.
 */
export function execute(task: Task, file: OpenFile, path: string, argv: string[], envp: string[]): 0 | Errno {
  const loaded = loadExecutable(task.kernel, task, identityOf(task), file, path, argv, envp);
  if (typeof loaded === 'number') return loaded;
  const context = loaded.mm.addressSpace.createContext(null);
  if (typeof context === 'number') {
    loaded.mm.decRef();
    return context;
  }
  const formerTid = task.threadPid;
  becomeOnlyThread(task);
  enterProgram(task, loaded.mm, context);
  context.page.set(REG_ORIG_RAX, task.syscallNr);
  context.page.set(REG_CS, USER_CS);
  context.page.set(REG_SS, USER_DS);
  context.page.set(REG_EFLAGS, INITIAL_FLAGS);
  context.page.set(REG_RIP, loaded.entry);
  context.page.set(REG_RSP, loaded.stackPointer);
  resetForExec(task, loaded.creds);
  task.comm = commOf(path);
  if (task.tracing !== null) {
    task.tracing.pendingEvent = PTRACE_EVENT_EXEC;
    task.tracing.eventMessage = formerTid.in(task.tracing.tracer.pidNs);
  }
  return 0;
}

/** Command name of a program: the last part of its path, cut to what a name may have. */
export function commOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).slice(0, COMM_BYTES_MAX);
}

function identityOf(task: Task): ExecIdentity {
  return {
    creds: task.creds,
    hasNoNewPrivs: task.hasNoNewPrivs,
    limits: task.threadGroup.limits,
    personality: task.personality,
  };
}

/** Ends the other threads and takes the process ID if the leader was among them. */
function becomeOnlyThread(task: Task): void {
  const group = task.threadGroup;
  exitOtherThreads(task, 0);
  const { leader } = group;
  if (leader === task) return;
  const ownPid = task.threadPid;
  ownPid.task = null;
  ownPid.releaseIfUnused();
  task.threadPid = leader.threadPid;
  task.threadPid.task = task;
  leader.retire();
  group.tasks.splice(group.tasks.indexOf(leader), 1);
  group.leader = task;
  task.kernel.tasks.taskCount--;
  group.cgroup.countTasks(-1);
}

function enterProgram(task: Task, mm: Mm, context: Context): void {
  releaseMemory(task);
  task.mm = mm;
  task.enterContext(context);
  task.kernel.setTaskOfContext(context.page.index, task);
}

function resetForExec(task: Task, creds: Credentials): void {
  const { threadGroup, signals } = task;
  if (threadGroup.signalActions.refCount > 1) {
    threadGroup.signalActions.refCount--;
    threadGroup.signalActions = threadGroup.signalActions.fork();
  }
  threadGroup.signalActions.resetForExec();
  signals.resetAltStack();
  threadGroup.posixTimers?.clear();
  threadGroup.exitSignal = SIGCHLD;
  threadGroup.hasExeced = true;
  threadGroup.dumpable = 1;
  if (isPrivilegedChange(task.creds, creds)) {
    threadGroup.dumpable = 0;
    task.parentDeathSignal = 0;
    task.personality = 0;
  }
  task.creds = creds;
  dropKeyringsOfProgram(task);
  unshareFds(task);
  task.fds.closeOnExec(task);
}

function unshareFds(task: Task): void {
  const { fds } = task;
  if (fds.refCount === 1) return;
  task.fds = fds.fork();
  fds.decRef(task);
}
