import { ENODEV, errnoText } from '@tsv/abi';
import type { Kernel } from '@tsv/kernel';
import type { Mount, Spec } from '@tsv/oci';
import type { Caller, VfsPath } from '@tsv/vfs';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';
import { isVolumeInMemory, parseMountHints, type MountHint } from './mount-hints.js';
import { parseMountOptions } from './mount-options.js';

const ofKernels = new WeakMap<Kernel, SharedVolumes>();

/** The volumes that containers of one sandbox share in memory. The annotations of its first container name them. */
export class SharedVolumes {
  readonly #kernel: Kernel;
  readonly #hints: ReadonlyMap<string, MountHint>;
  readonly #roots = new Map<string, VfsPath>();

  private constructor(kernel: Kernel, hints: ReadonlyMap<string, MountHint>) {
    this.#kernel = kernel;
    this.#hints = hints;
  }

  /** Those of the sandbox that `kernel` runs; `spec` is of the container that is made now. */
  static of(kernel: Kernel, spec: Spec): SharedVolumes {
    let volumes = ofKernels.get(kernel);
    if (volumes === undefined) {
      volumes = new SharedVolumes(kernel, parseMountHints(spec.annotations));
      ofKernels.set(kernel, volumes);
    }
    return volumes;
  }

  /**
   * The root of the volume that `mount` is about, made at its first use, or null when it is none in memory.
   * Throws {@link SandboxError} for options that a tmpfs does not have.
   */
  rootFor(mount: Mount, caller: Caller): VfsPath | null {
    const hint = this.#hints.get(mount.source ?? '');
    if (!isVolumeInMemory(mount, hint)) return null;
    const known = this.#roots.get(hint.name);
    if (known !== undefined) return known;
    const { vfs } = this.#kernel;
    const where = `annotations "dev.tsv.spec.mount.${hint.name}"`;
    const { data } = parseMountOptions(hint.options, 'tmpfs', where);
    const fs = vfs.typeNamed('tmpfs')?.create({ source: hint.name, data: toByteString(data), caller }) ?? -ENODEV;
    if (typeof fs === 'number') throw new SandboxError(`Cannot use ${where}: its options: ${errnoText(-fs)}`);
    const root = vfs.rootOf(vfs.createNamespace(fs, hint.name, 0));
    this.#roots.set(hint.name, root);
    return root;
  }
}
