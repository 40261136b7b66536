import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  makedev,
} from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import { MountNamespace, OpenFile, type Caller, type Inode, type VfsPath } from '@tsv/vfs';
import { AnonymousFileSystem, AnonymousInode } from '../fd/anonymous-files.js';
import { CgroupNamespace } from './cgroup-namespace.js';
import { IpcNamespace } from './ipc-namespace.js';
import { NetNamespace } from './net-namespace.js';
import { PidNamespace } from './pid-namespace.js';
import { UserNamespace } from './user-namespace.js';
import { UtsNamespace } from './uts-namespace.js';

const NSFS_MAGIC = 0x6e736673;

/** A namespace that a task can enter, setns(2). */
export type Namespace =
  MountNamespace | UtsNamespace | IpcNamespace | NetNamespace | CgroupNamespace | PidNamespace | UserNamespace;

const CLASSES = [
  MountNamespace,
  UtsNamespace,
  IpcNamespace,
  NetNamespace,
  CgroupNamespace,
  PidNamespace,
  UserNamespace,
];

/** Whether `value` is a namespace that can be entered. */
export function isNamespace(value: object): value is Namespace {
  return CLASSES.some((namespaceClass) => value instanceof namespaceClass);
}

/** The CLONE_NEW* flag of a namespace. */
export function namespaceFlag(namespace: Namespace): number {
  if (namespace instanceof MountNamespace) return CLONE_NEWNS;
  if (namespace instanceof UtsNamespace) return CLONE_NEWUTS;
  if (namespace instanceof IpcNamespace) return CLONE_NEWIPC;
  if (namespace instanceof NetNamespace) return CLONE_NEWNET;
  if (namespace instanceof CgroupNamespace) return CLONE_NEWCGROUP;
  return namespace instanceof PidNamespace ? CLONE_NEWPID : CLONE_NEWUSER;
}

/** A file that refers to a namespace and keeps it, namespaces(7). */
export class NamespaceFile extends OpenFile {
  readonly namespace: Namespace;

  constructor(inode: Inode, namespace: Namespace, flags: number) {
    super(inode, null, flags);
    this.namespace = namespace;
    if (namespace instanceof MountNamespace) namespace.incRef();
  }

  protected override release(): void {
    if (this.namespace instanceof MountNamespace) this.namespace.decRef();
  }
}

/** What /proc/PID/ns/KIND leads to. */
class NamespaceInode extends AnonymousInode {
  readonly #namespace: Namespace;

  constructor(fs: AnonymousFileSystem, kind: string, namespace: Namespace) {
    super(fs, 0o100444, kind);
    this.#namespace = namespace;
  }

  override open(_path: VfsPath | null, flags: number, _caller: Caller): NamespaceFile {
    return new NamespaceFile(this, this.#namespace, flags);
  }
}

/** The files behind /proc/PID/ns: one for each namespace, as long as somebody knows the namespace. */
export class NamespaceFiles {
  readonly #nsfs: AnonymousFileSystem;
  readonly #inodes = new WeakMap<Namespace, AnonymousInode>();

  constructor(clock: Clock) {
    this.#nsfs = new AnonymousFileSystem('nsfs', NSFS_MAGIC, makedev(0, 4), clock);
  }

  /** The inode of `namespace`; `kind` names it (`uts`). */
  inodeOf(namespace: Namespace, kind: string): AnonymousInode {
    let inode = this.#inodes.get(namespace);
    if (inode === undefined) {
      inode = new NamespaceInode(this.#nsfs, kind, namespace);
      this.#inodes.set(namespace, inode);
    }
    return inode;
  }
}
