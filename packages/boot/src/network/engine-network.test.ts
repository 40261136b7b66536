import type { Spec } from '@tsv/oci';
import { withEngineNetwork } from './engine-network.js';

const specWith = (namespaces: { type: 'network' | 'pid'; path?: string }[]): Spec => ({
  ociVersion: '1.0.2',
  linux: { namespaces },
});

describe('withEngineNetwork', () => {
  it.each([
    ['no namespace', specWith([{ type: 'pid' }])],
    ['a namespace by its path', specWith([{ type: 'network', path: '/run/netns/x' }])],
  ])('leaves %s as it is', (_, spec) => {
    expect(withEngineNetwork(spec, process.pid)).toBe(spec);
  });

  it('refuses the network of the host in the place of a new one', () => {
    expect(withEngineNetwork(specWith([{ type: 'network' }]), process.pid)).toBeNull();
  });
});
