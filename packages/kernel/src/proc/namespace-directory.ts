import { EACCES, type Errno } from '@tsv/abi';
import { SyntheticDirectory, SyntheticSymlink, type Caller, type VfsPath } from '@tsv/vfs';
import { isNamespace } from '../namespace/namespace-files.js';
import type { Task } from '../task/task.js';
import { mayInspect } from './process-directory.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** /proc/PID/ns, namespaces(7): names that tell whether two processes share a namespace. */
export class NamespaceDirectory extends SyntheticDirectory {
  declare readonly fs: ProcFileSystem;

  constructor(fs: ProcFileSystem, task: Task) {
    super(fs, 0o511);
    const link = (name: string, find: (task: Task) => object): void => {
      this.add(name, new NamespaceLink(fs, task, name, find));
    };
    link('cgroup', (t) => t.ns.cgroup);
    link('ipc', (t) => t.ns.ipc);
    link('mnt', (t) => t.root.mount.namespace ?? t.kernel);
    link('net', (t) => t.ns.net);
    link('pid', (t) => t.pidNs);
    link('pid_for_children', (t) => t.ns.pidForChildren);
    link('time', (t) => t.kernel);
    link('user', (t) => t.creds.userNs);
    link('uts', (t) => t.ns.uts);
  }
}

class NamespaceLink extends SyntheticSymlink {
  declare readonly fs: ProcFileSystem;
  readonly #task: Task;
  readonly #name: string;
  readonly #find: (task: Task) => object;

  constructor(fs: ProcFileSystem, task: Task, name: string, find: (task: Task) => object) {
    super(fs);
    this.#task = task;
    this.#name = name.replace('_for_children', '');
    this.#find = find;
  }

  readlink(caller: Caller): string | Errno {
    if (!mayInspect(this.#task, caller)) return -EACCES;
    return `${this.#name}:[${this.fs.namespaceIno(this.#find(this.#task), this.#name)}]`;
  }

  /** Leads to a file for setns(2), where the namespace is one that can be entered. */
  override followMagic(caller: Caller): VfsPath | Errno | null {
    if (!mayInspect(this.#task, caller)) return -EACCES;
    const namespace = this.#find(this.#task);
    if (!isNamespace(namespace)) return null;
    const { vfs, namespaceFiles } = this.fs.kernel;
    return vfs.anonymousPath(namespaceFiles.inodeOf(namespace, this.#name));
  }
}
