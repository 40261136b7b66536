import { TarType, paddingBytes, tarHeader, type TarEntry } from './tar-entry.js';

const ENTRY: TarEntry = {
  name: 'a/file',
  type: TarType.FILE,
  mode: 0o644,
  uid: 7,
  gid: 8,
  mtimeSec: 9,
  sizeBytes: 10,
  target: '',
  major: 0,
  minor: 0,
  xattrs: [],
};
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('tarHeader, pax(1)', () => {
  it('is one block for what fits it, with a checksum', () => {
    const block = tarHeader(ENTRY);
    expect(block).toHaveLength(512);
    const fields = [text(block.subarray(0, 6)), text(block.subarray(100, 107)), text(block.subarray(124, 135))];
    expect(fields).toEqual(['a/file', '0000644', '00000000012']);
    const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
    expect(parseInt(text(block.subarray(148, 154)), 8)).toBe(sum);
  });

  it.each<[string, Partial<TarEntry>, string]>([
    ['a long name', { name: 'n'.repeat(101) }, `111 path=${'n'.repeat(101)}\n`],
    ['a long target', { target: 't'.repeat(101) }, `115 linkpath=${'t'.repeat(101)}\n`],
    ['a large file', { sizeBytes: 8 ** 11 }, '19 size=8589934592\n'],
    ['a large user ID', { uid: 8 ** 7 }, '15 uid=2097152\n'],
    ['a time before 1970', { mtimeSec: -1 }, '12 mtime=-1\n'],
    ['an attribute', { xattrs: [['user.a', 'b']] }, '25 SCHILY.xattr.user.a=b\n'],
  ])('says in an extended header: %s', (_, change, record) => {
    const blocks = tarHeader({ ...ENTRY, ...change });
    expect([blocks.length, text(blocks.subarray(156, 157))]).toEqual([1536, 'x']);
    expect(text(blocks.subarray(512, 512 + record.length + 1))).toBe(`${record}\0`);
  });

  it.each([99, 100])('has a name of %d bytes in the block itself', (length) => {
    expect(tarHeader({ ...ENTRY, name: 'n'.repeat(length) })).toHaveLength(512);
  });
});

describe('paddingBytes', () => {
  it.each([
    [0, 0],
    [1, 511],
    [511, 1],
    [512, 0],
    [513, 511],
  ])('of %d: %d', (len, padding) => {
    expect(paddingBytes(len)).toBe(padding);
  });
});
