import { EXDEV, O_RDONLY, RESOLVE_BENEATH } from '@tsv/abi';
import { close, openat2, preadv2 } from './index.js';

describe('README', () => {
  it('runs', () => {
    const root = openat2(-100, '/proc', O_RDONLY, 0, 0);
    expect(openat2(root, '../etc/passwd', O_RDONLY, 0, RESOLVE_BENEATH)).toBe(-EXDEV);
    const file = openat2(root, 'version', O_RDONLY, 0, RESOLVE_BENEATH);
    const buffer = new Uint8Array(64);
    expect(preadv2(file, buffer, 0, 5, 0, 0)).toBe(5);
    expect(Buffer.from(buffer.subarray(0, 5)).toString()).toBe('Linux');
    expect([close(file), close(root)]).toEqual([0, 0]);
  });
});
