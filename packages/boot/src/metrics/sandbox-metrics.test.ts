import { SYS_io_uring_setup } from '@tsv/abi';
import { createMemoryFile } from '@tsv/pgalloc';
import { createIdleKernel } from '../testing/idle-kernel.js';
import { createSandboxMetrics } from './sandbox-metrics.js';

describe('createSandboxMetrics', () => {
  it('reads the kernel', () => {
    const memoryFile = createMemoryFile();
    const kernel = createIdleKernel(memoryFile);
    kernel.unimplemented.record(SYS_io_uring_setup, 'program');
    const lines = createSandboxMetrics(kernel).toText('tsv_', { sandbox: 's' }).split('\n');
    expect(lines).toContain('tsv_pids{sandbox="s"} 0');
    expect(lines).toContain('tsv_unimplemented_syscalls{sandbox="s",name="io_uring_setup"} 1');
    expect(lines.some((line) => line.startsWith('tsv_memory_bytes{sandbox="s",kind="tmpfs"} '))).toBe(true);
    memoryFile.close();
  });
});
