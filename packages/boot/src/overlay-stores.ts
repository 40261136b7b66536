import type { Spec } from '@tsv/oci';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeConfig } from './config.js';
import { hostPaths, rootPath } from './host-paths.js';
import { SandboxError } from './sandbox-error.js';

/** What says where the overlays of a container keep what is written. */
type OverlayConfig = Pick<RuntimeConfig, 'overlay' | 'overlayMedium'>;

const NAME_PREFIX = '.tsv.filestore.';

/** Name of a container's store in whatever directory it is. */
export function storeName(containerId: string): string {
  return `${NAME_PREFIX}${containerId}`;
}

/** The store for an overlay over the host's directory `lowerDir`, or null when it is in memory. */
export function storePath({ overlayMedium }: OverlayConfig, lowerDir: string, containerId: string): string | null {
  if (overlayMedium === 'memory') return null;
  return join(overlayMedium === 'self' ? lowerDir : overlayMedium, storeName(containerId));
}

/** The stores of all overlays of a container. */
export function storePaths(config: OverlayConfig, spec: Spec, bundleDir: string, containerId: string): string[] {
  if (config.overlay === 'none') return [];
  const lowers = config.overlay === 'root' ? [rootPath(spec, bundleDir)] : hostPaths(spec, bundleDir);
  const directories = lowers.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
  const paths = directories.map((path) => storePath(config, path, containerId));
  return [...new Set(paths)].filter((path) => path !== null);
}

/** Makes the directories of stores: all of them, or none. Throws {@link SandboxError}. */
export function makeStores(paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      removeStores(paths.slice(0, index));
      throw new SandboxError(`Cannot make the store of --overlay2: ${(error as Error).message}`);
    }
  }
}

/** Removes stores with all that is in them. Throws {@link SandboxError}. */
export function removeStores(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      throw new SandboxError(`Cannot remove the store of --overlay2: ${(error as Error).message}`);
    }
  }
}
