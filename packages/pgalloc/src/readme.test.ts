import { UsageKind, chunkAt, chunkOf } from '@tsv/platform';
import { createMemoryFile } from './index.js';

describe('README', () => {
  it('runs', () => {
    const memory = createMemoryFile();
    const pfn = memory.allocate(4, UsageKind.ANONYMOUS, -1);
    memory.views[chunkOf(pfn)]!.setUint32(chunkAt(pfn), 42, true);
    memory.decRef(pfn, 4);
    const again = memory.allocate(4, UsageKind.ANONYMOUS, pfn);
    expect([again, memory.views[chunkOf(again)]!.getUint32(chunkAt(again), true)]).toEqual([pfn, 0]);
    memory.close();
  });
});
