import { O_WRONLY, errnoText } from '@tsv/abi';
import type { Spec } from '@tsv/oci';
import { MemoryIo, type Caller, type VirtualFileSystem } from '@tsv/vfs';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

/**
 * Sets `linux.sysctl`, config-linux.md "Sysctl", by the container's own /proc/sys. Preconditions: it is mounted and not
 * read-only yet. Throws {@link SandboxError} naming a parameter that there is not, or that does not take the value.
 */
export function setSysctls(vfs: VirtualFileSystem, caller: Caller, spec: Spec): void {
  for (const [name, value] of Object.entries(spec.linux?.sysctl ?? {})) {
    const path = toByteString(`/proc/sys/${pathOf(name)}`);
    const file = vfs.openAt(caller, caller.root, path, O_WRONLY, 0);
    const error = typeof file === 'number' ? file : writeText(file, `${value}\n`, caller);
    if (error < 0) throw new SandboxError(`Cannot set linux.sysctl "${name}" to "${value}": ${errnoText(-error)}`);
  }
}

/** sysctl(8): dots are separators, unless a slash comes first. */
function pathOf(name: string): string {
  const dot = name.indexOf('.');
  const slash = name.indexOf('/');
  if (slash >= 0 && (dot < 0 || slash < dot)) return name;
  return name.replaceAll(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

function writeText(
  file: Exclude<ReturnType<VirtualFileSystem['openAt']>, number>,
  text: string,
  caller: Caller,
): number {
  const bytes = new TextEncoder().encode(text);
  const written = file.write(new MemoryIo(bytes, 0, bytes.length), caller);
  file.decRef();
  return written;
}
