import { PlatformRegistry } from '@tsv/platform';
import { systrapPlatform } from './index.js';

describe('README', () => {
  it('runs', () => {
    const registry = new PlatformRegistry();
    registry.register(systrapPlatform);
    expect(registry.lookup('systrap')?.description).toContain('seccomp(2)');
    expect(systrapPlatform.unavailableReason()).toBeNull();
  });
});
