import { PlatformRegistry } from '@tsv/platform';
import { ptracePlatform } from './index.js';

describe('README', () => {
  it('runs', () => {
    const registry = new PlatformRegistry();
    registry.register(ptracePlatform);
    expect(registry.lookup('ptrace')?.description).toContain('ptrace(2)');
    expect(ptracePlatform.unavailableReason()).toBeNull();
  });
});
