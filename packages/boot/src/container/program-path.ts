import { EACCES, ENOENT, ENOEXEC, ENOTDIR, errnoText } from '@tsv/abi';
import type { Kernel } from '@tsv/kernel';
import type { ContainerFiles } from '../container-mounter.js';
import { SandboxError } from '../sandbox-error.js';

const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** Looks a program without a slash up in PATH, as execvp(3) does and runc too. Throws {@link SandboxError}. */
export function findProgram(
  kernel: Kernel,
  files: ContainerFiles,
  name: string,
  envp: readonly string[],
  cwd: string,
): string {
  if (name.includes('/')) return name;
  const path = envp.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH;
  let refused = 0;
  for (const dir of path.split(':')) {
    const candidate = `${dir === '' ? cwd : dir}/${name}`;
    const found = kernel.vfs.resolve(files.caller, files.root, candidate);
    if (typeof found === 'number') {
      if (found !== -ENOENT && found !== -ENOTDIR) refused = found;
      continue;
    }
    const isProgram = found.inode.isRegular && (found.inode.mode & 0o111) !== 0;
    found.decRef();
    if (isProgram) return candidate;
    refused = -EACCES;
  }
  throw programError(name, refused === 0 ? -ENOENT : refused, true);
}

/** The message and exit status for a program that cannot be run, as docker's: 127 if there is none, else 126. */
export function programError(name: string, errno: number, inPath = false): SandboxError {
  if (errno === -ENOENT || errno === -ENOTDIR) {
    const where = inPath ? 'executable file not found in $PATH' : errnoText(-errno);
    return new SandboxError(`Cannot run "${name}": ${where}`, 127);
  }
  const reason = errno === -ENOEXEC ? 'exec format error' : errnoText(-errno);
  return new SandboxError(`Cannot run "${name}": ${reason}`, 126);
}
