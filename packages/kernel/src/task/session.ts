import type { Pid } from '../namespace/pid.js';
import type { ThreadGroup } from './thread-group.js';

/** What a session needs of its controlling terminal, tty(4). */
export interface ControllingTerminal {
  /** Device number, for /proc/PID/stat. */
  readonly rdev: number;
  /** The session leader exits: the terminal is nobody's now. */
  sessionEnded(session: Session): void;
}

/** A session, credentials(7). It exists as long as it has a process group. */
export class Session {
  readonly id: Pid;
  readonly leader: ThreadGroup;
  tty: ControllingTerminal | null = null;
  /** The process group that the terminal's input and signals go to. */
  foregroundGroup: ProcessGroup | null = null;
  readonly groups = new Set<ProcessGroup>();

  constructor(leader: ThreadGroup) {
    this.id = leader.leader.threadPid;
    this.leader = leader;
    this.id.session = this;
  }

  /** Session ID in the root PID namespace. */
  get sid(): number {
    return this.id.rootNumber;
  }
}

/** A process group, credentials(7). It exists as long as it has a member. */
export class ProcessGroup {
  readonly id: Pid;
  readonly session: Session;
  readonly members = new Set<ThreadGroup>();

  constructor(id: Pid, session: Session) {
    this.id = id;
    this.session = session;
    id.processGroup = this;
    session.groups.add(this);
  }

  /** Process group ID in the root PID namespace. */
  get pgid(): number {
    return this.id.rootNumber;
  }

  /**
   * Whether no member but `except` has a parent in another group of the same session: nobody could continue its
   * stopped jobs, setpgid(2).
   */
  isOrphaned(except: ThreadGroup | null = null): boolean {
    for (const member of this.members) {
      if (member === except || member.isZombie) continue;
      const parent = member.parent;
      if (parent === null || parent.isNamespaceInit) continue;
      if (parent.processGroup !== this && parent.session === this.session) return false;
    }
    return true;
  }

  get hasStoppedMember(): boolean {
    for (const member of this.members) if (member.isStopped) return true;
    return false;
  }

  add(member: ThreadGroup): void {
    this.members.add(member);
    member.processGroup = this;
  }

  /** Removes a member; the last one ends the group, and the last group its session. */
  remove(member: ThreadGroup): void {
    this.members.delete(member);
    if (this.members.size > 0) return;
    this.id.processGroup = null;
    this.id.releaseIfUnused();
    const session = this.session;
    if (session.foregroundGroup === this) session.foregroundGroup = null;
    session.groups.delete(this);
    if (session.groups.size > 0) return;
    session.id.session = null;
    session.id.releaseIfUnused();
  }
}
