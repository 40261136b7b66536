import type { Spec } from '@tsv/oci';
import { readlinkSync, statfsSync } from 'node:fs';
import { SandboxError } from '../sandbox-error.js';

/** `f_type` of files that stand for namespaces, statfs(2). */
const NSFS_MAGIC = 0x6e73_6673;
/** Names in /proc/PID/ns, namespaces(7), of the types that have another name in a configuration. */
const NAMES: Readonly<Record<string, string>> = { network: 'net', mount: 'mnt' };

/**
 * config-linux.md "Namespaces": "The runtime MUST generate an error if path is not associated with a namespace of type
 * type". What type it is only a link of procfs tells; of others the host says when they are entered. Throws
 * {@link SandboxError}.
 */
export function checkNamespacePaths(spec: Spec): void {
  for (const [index, { type, path = '' }] of (spec.linux?.namespaces ?? []).entries()) {
    if (path === '') continue;
    const what = `linux.namespaces.${index}.path "${path}"`;
    const target = linkTarget(path);
    if (magicOf(path, what) !== NSFS_MAGIC) throw new SandboxError(`Cannot use ${what}: it is no namespace`);
    if (/^\w+:\[\d+\]$/.test(target) && !target.startsWith(`${NAMES[type] ?? type}:`)) {
      throw new SandboxError(`Cannot use ${what}: it is no ${type} namespace`);
    }
  }
}

function magicOf(path: string, what: string): number {
  try {
    return statfsSync(path).type;
  } catch (error) {
    throw new SandboxError(`Cannot use ${what}: ${(error as Error).message}`);
  }
}

/** What a link leads to; empty for what is none. */
function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (['EINVAL', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw new SandboxError(`Cannot read the link "${path}": ${(error as Error).message}`);
  }
}
