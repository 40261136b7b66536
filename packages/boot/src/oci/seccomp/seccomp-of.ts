import { SeccompFilter } from '@tsv/kernel';
import type { Spec } from '@tsv/oci';
import type { RuntimeConfig } from '../../config.js';
import { SandboxError } from '../../sandbox-error.js';
import type { SandboxLog } from '../../sandbox-log.js';
import { compileSeccomp } from './compile-seccomp.js';

/**
 * The filter that a container's processes start with: that of `linux.seccomp` with `--oci-seccomp`, else none. The sandbox is
 * the boundary either way: the filter is for what guests expect of it. Throws {@link SandboxError} with the path of a field
 * that cannot be honoured.
 */
export function seccompOf(spec: Spec, config: RuntimeConfig, log: SandboxLog): SeccompFilter | null {
  const description = spec.linux?.seccomp;
  if (description === undefined || !config.isOciSeccomp) return null;
  const { program, lines } = compileSeccomp(description);
  for (const line of lines) log.debug(`linux.seccomp ${line}`);
  const seccomp = SeccompFilter.install(program, null);
  if (typeof seccomp === 'number') throw new SandboxError('Cannot use linux.seccomp: it has too many instructions');
  return seccomp;
}
