import { ENODATA, O_PATH, O_RDWR } from '@tsv/abi';
import { OpenFile, VfsPath, type FileSystem, type FileSystemType, type Inode, type MountNamespace } from '@tsv/vfs';

/** What a {@link FsContextFile} can be told next. */
export const FsContextPhase = {
  /** Parameters of a new filesystem. */
  PARAMETERS: 0,
  /** The filesystem is there and can be mounted. */
  MADE: 1,
  /** Parameters of a filesystem that is mounted. */
  RECONFIGURE: 2,
} as const;
export type FsContextPhase = (typeof FsContextPhase)[keyof typeof FsContextPhase];

/** What a filesystem is configured with before it is mounted, fsopen(2), or again, fspick(2). */
export class FsContextFile extends OpenFile {
  /** Null for a filesystem that is mounted already. */
  readonly type: FileSystemType | null;
  /** The mount that fspick(2) has picked, with a reference. */
  readonly picked: VfsPath | null;
  phase: FsContextPhase;
  /** Byte strings. */
  source: string | null = null;
  readonly options: string[] = [];
  optionBytes = 0;
  isReadOnly = false;
  fs: FileSystem | null = null;

  constructor(inode: Inode, type: FileSystemType | null, picked: VfsPath | null) {
    super(inode, null, O_RDWR);
    this.type = type;
    this.picked = picked;
    this.phase = picked === null ? FsContextPhase.PARAMETERS : FsContextPhase.RECONFIGURE;
  }

  /** Messages about what went wrong: there are none. */
  override read(): number {
    return -ENODATA;
  }

  protected override release(): void {
    this.picked?.decRef();
  }
}

/** A mount that is nowhere yet, fsmount(2) and open_tree(2): it goes when it is closed, unless move_mount(2) took it. */
export class DetachedMountFile extends OpenFile {
  readonly namespace: MountNamespace;

  /** Takes over a reference of `namespace`. */
  constructor(namespace: MountNamespace) {
    const { root } = namespace;
    super(root.root.inode!, new VfsPath(root, root.root), O_PATH);
    this.namespace = namespace;
  }

  override readiness(): number {
    return 0;
  }

  protected override release(): void {
    this.namespace.decRef();
  }
}
