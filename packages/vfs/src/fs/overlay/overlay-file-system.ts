import { OVERLAYFS_SUPER_MAGIC } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import type { FileSystem, FileSystemStatistics } from '../../file-system.js';
import type { PendingSync } from '../../file/pending-sync.js';
import type { Inode } from '../../inode.js';
import { OverlayDirectory } from './overlay-directory.js';
import { OverlayInode } from './overlay-inode.js';
import type { SlicedCopy } from './sliced-copy.js';

/** What an {@link OverlayFileSystem} is made with. */
export interface OverlayOptions {
  /** Directory that takes the changes; null for an overlay that cannot be changed. */
  readonly upper: Inode | null;
  /** Directories whose trees are seen through, the topmost first. They are never changed. */
  readonly lowers: readonly Inode[];
  /** `st_dev`, of `VirtualFileSystem.allocateDev`. */
  readonly dev: number;
  readonly clock: Clock;
  /** The options that mount(2) was given, as /proc/mounts shows them. */
  readonly optionsText?: string;
  /** The last mount is gone: whoever made the layers can give them back. */
  readonly onDestroy?: () => void;
}

/** A file of a lower layer that has several names: its copy in the upper layer, and how its link count differs. */
export interface LinkedFile {
  upper: Inode | null;
  linkDelta: number;
}

/** Numbers of inodes of layer `n` lie from `n * LAYER_INOS` on. */
const LAYER_INOS = 2 ** 44;

/**
 * Several directory trees seen as one, after Linux's overlayfs: the upper one takes all changes, files of the lower ones
 * are copied up when they are first changed. A removed name is a whiteout in the upper layer (character device 0:0), a
 * directory that hides the lower ones has the attribute `trusted.overlay.opaque`. Layers must not change meanwhile.
 *
 * Differs: hard links of a lower file stay links after a copy-up, without `index=on`.
 */
export class OverlayFileSystem implements FileSystem {
  readonly typeName = 'overlay';
  readonly dev: number;
  readonly mustRevalidate = false;
  readonly cachesNegatives = true;
  readonly root: OverlayDirectory;
  readonly clock: Clock;
  readonly isChangeable: boolean;
  readonly #layers: readonly Inode[];
  readonly #hasUpper: boolean;
  readonly #optionsText: string;
  readonly #onDestroy: (() => void) | undefined;
  /** Overlay inodes in use, by each inode of a layer that they stand for and that is seen through another overlay too. */
  readonly #shared = new Map<Inode, OverlayInode>();
  /** Files of lower layers with several names, by layer and number, once one of the names was changed. */
  readonly #linked = new Map<string, LinkedFile>();
  /** Copies that are being made in slices. */
  readonly slicedCopies = new Map<OverlayInode, SlicedCopy>();
  /** Inode numbers of files that were copied up, by the number of the copy: the number stays what it was. */
  readonly #originInos = new Map<number, number>();

  constructor(options: OverlayOptions) {
    if (options.lowers.length === 0) throw new RangeError('OverlayFileSystem: a lower layer is needed at least');
    this.dev = options.dev;
    this.clock = options.clock;
    this.#hasUpper = options.upper !== null;
    this.isChangeable = this.#hasUpper;
    this.#layers = options.upper === null ? options.lowers : [options.upper, ...options.lowers];
    this.#optionsText = options.optionsText ?? '';
    this.#onDestroy = options.onDestroy;
    for (const layer of this.#layers) layer.incRef();
    const lowers = options.lowers.map((inode, i) => ({ inode, layer: i + (this.#hasUpper ? 1 : 0) }));
    this.root = new OverlayDirectory(this, this.inoOf(0, this.#layers[0]!.ino), options.upper, lowers, null, '');
    this.root.incRef();
  }

  /** The number that the inode `ino` of layer `layer` has here. */
  inoOf(layer: number, ino: number): number {
    const origin = layer === 0 && this.#hasUpper ? this.#originInos.get(ino) : undefined;
    if (origin !== undefined) return origin;
    return ino < LAYER_INOS ? layer * LAYER_INOS + ino : ino;
  }

  /** The overlay inode in use for the inode `real` of a layer, or undefined. */
  find(real: Inode): OverlayInode | undefined {
    const { cover } = real;
    if (cover instanceof OverlayInode && cover.fs === this) return cover;
    return this.#shared.size === 0 ? undefined : this.#shared.get(real);
  }

  /** `inode` stands for `real` from now on. */
  enter(real: Inode, inode: OverlayInode): void {
    if (real.cover === null || real.cover.fs === this) real.cover = inode;
    else this.#shared.set(real, inode);
  }

  /** Nobody uses the overlay inode of `real` any more. */
  forget(real: Inode): void {
    if (real.cover?.fs === this) real.cover = null;
    else this.#shared.delete(real);
  }

  /** `upper` is the copy of the file that had number `ino` here. */
  copiedUp(upper: Inode, ino: number): void {
    this.#originInos.set(upper.ino, ino);
  }

  /** The copy `upper` is gone. */
  copyRemoved(upper: Inode): void {
    this.#originInos.delete(upper.ino);
  }

  /** What is known of a lower file with several names, or undefined. */
  linkedFile(layer: number, lower: Inode): LinkedFile | undefined {
    return this.#linked.size === 0 ? undefined : this.#linked.get(`${layer}:${lower.ino}`);
  }

  /** The same, made when it is not there. */
  ensureLinkedFile(layer: number, lower: Inode): LinkedFile {
    const key = `${layer}:${lower.ino}`;
    let linked = this.#linked.get(key);
    if (linked === undefined) {
      linked = { upper: null, linkDelta: 0 };
      this.#linked.set(key, linked);
    }
    return linked;
  }

  statistics(): FileSystemStatistics {
    return { ...this.#layers[0]!.fs.statistics(), type: OVERLAYFS_SUPER_MAGIC };
  }

  sync(): number {
    return this.#hasUpper ? this.#layers[0]!.fs.sync() : 0;
  }

  beginSync(): PendingSync | number {
    if (!this.#hasUpper) return 0;
    const { fs } = this.#layers[0]!;
    return fs.beginSync?.() ?? fs.sync();
  }

  mountOptions(): string {
    return this.#optionsText;
  }

  destroy(): void {
    for (const { upper } of this.#linked.values()) upper?.decRef();
    this.#linked.clear();
    for (const layer of this.#layers) layer.decRef();
    this.#onDestroy?.();
  }
}
