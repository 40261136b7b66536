import { createMemoryFile } from '@tsv/pgalloc';
import { UsageKind } from '@tsv/platform';
import type { Container } from './container/container.js';
import { findLeaks } from './find-leaks.js';
import { createIdleKernel } from './testing/idle-kernel.js';

describe('findLeaks', () => {
  it('tells of memory and mounts that nobody can use any more, and of nothing else', () => {
    const memoryFile = createMemoryFile();
    const kernel = createIdleKernel(memoryFile);
    const container = { id: 'a', files: { namespace: { refCount: 1 } } } as unknown as Container;
    expect(findLeaks(kernel, [container])).toEqual([]);
    memoryFile.allocate(2, UsageKind.ANONYMOUS, 0);
    (container.files.namespace as { refCount: number }).refCount = 3;
    expect(findLeaks(kernel, [container])).toEqual([
      'the mounts of container "a" are referred to by 2 that have ended',
      '2 pages of processes that have ended are in use',
    ]);
    memoryFile.close();
  });
});
