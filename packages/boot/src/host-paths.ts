import type { Mount, Spec } from '@tsv/oci';
import { isAbsolute, join } from 'node:path';

/** Paths of the host's files that a container sees. */
export function hostPaths(spec: Spec, bundleDir: string): string[] {
  const binds = (spec.mounts ?? []).filter((mount) => isBindMount(mount) && mount.source !== undefined);
  return [...new Set([rootPath(spec, bundleDir), ...binds.map((mount) => sourcePath(mount, bundleDir))])];
}

/** The directory on the host that `root` names. */
export function rootPath(spec: Spec, bundleDir: string): string {
  const path = spec.root?.path ?? 'rootfs';
  return isAbsolute(path) ? path : join(bundleDir, path);
}

/** The file on the host that a bind mount shows. */
export function sourcePath(mount: Mount, bundleDir: string): string {
  const source = mount.source ?? '';
  return isAbsolute(source) ? source : join(bundleDir, source);
}

/** Whether a mount shows a file of the host. */
export function isBindMount(mount: Mount): boolean {
  return mount.type === 'bind' || (mount.options ?? []).some((option) => option === 'bind' || option === 'rbind');
}
