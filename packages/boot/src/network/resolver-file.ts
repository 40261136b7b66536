import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY, errnoText } from '@tsv/abi';
import type { Kernel } from '@tsv/kernel';
import { MemoryIo } from '@tsv/vfs';
import type { ContainerFiles } from '../container-mounter.js';
import type { SandboxLog } from '../sandbox-log.js';

const RESOLVER_FILE = '/etc/resolv.conf';
const FILE_BYTES_MAX = 16384;

/**
 * Names `nameServer` in the guests' /etc/resolv.conf, resolv.conf(5), in place of the host's servers, which may be in
 * reach of the host only. What else the file says stays. The root must be an overlay: the host's file is not touched.
 */
export function writeResolverFile(kernel: Kernel, files: ContainerFiles, nameServer: string, log: SandboxLog): void {
  const lines = readLines(kernel, files).filter((line) => line !== '' && !/^\s*nameserver\b/.test(line));
  const text = [`nameserver ${nameServer}`, ...lines, ''].join('\n');
  const file = kernel.vfs.open(files.caller, RESOLVER_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0o644);
  if (typeof file === 'number') {
    log.info(`Cannot name the sandbox's DNS server in ${RESOLVER_FILE}: ${errnoText(-file)}`);
    return;
  }
  file.write(new MemoryIo(Uint8Array.from(text, (char) => char.charCodeAt(0))), files.caller);
  file.decRef();
}

/** The lines of the file as it is, none if it cannot be read. */
function readLines(kernel: Kernel, files: ContainerFiles): string[] {
  const file = kernel.vfs.open(files.caller, RESOLVER_FILE, O_RDONLY);
  if (typeof file === 'number') return [];
  const bytes = new Uint8Array(FILE_BYTES_MAX);
  const len = file.read(new MemoryIo(bytes), files.caller);
  file.decRef();
  return len < 0 ? [] : String.fromCharCode(...bytes.subarray(0, len)).split('\n');
}
