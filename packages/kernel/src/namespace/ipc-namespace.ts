import type { UserNamespace } from './user-namespace.js';

/** ipc_namespaces(7): whose System V objects and POSIX message queues a task sees. The subsystems keep theirs by it. */
export class IpcNamespace {
  readonly userNs: UserNamespace;

  constructor(userNs: UserNamespace) {
    this.userNs = userNs;
  }
}
