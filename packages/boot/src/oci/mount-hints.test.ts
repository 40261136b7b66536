import { isVolumeInMemory, parseMountHints } from './mount-hints.js';

function hint(name: string, fields: Record<string, string>, prefix = 'dev.tsv'): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [`${prefix}.spec.mount.${name}.${field}`, value]),
  );
}

describe('parseMountHints', () => {
  it.each(['dev.tsv', 'dev.gvisor'])('reads annotations of %s', (prefix) => {
    const annotations = {
      other: 'x',
      ...hint('cache', { source: '/volumes/cache', type: 'tmpfs', share: 'pod', options: 'rw,size=1m' }, prefix),
    };
    expect([...parseMountHints(annotations).values()]).toEqual([
      { name: 'cache', source: '/volumes/cache', type: 'tmpfs', share: 'pod', options: ['rw', 'size=1m'] },
    ]);
  });

  it('is empty without annotations', () => {
    expect(parseMountHints(undefined).size).toBe(0);
  });

  it.each`
    fields                                                | message
    ${{ type: 'tmpfs', share: 'pod' }}                    | ${'dev.tsv.spec.mount.v.source": it is missing'}
    ${{ source: '/a', type: 'nfs', share: 'pod' }}        | ${'dev.tsv.spec.mount.v.type": "nfs" is none of tmpfs, bind'}
    ${{ source: '/a', type: 'tmpfs', share: 'everyone' }} | ${'dev.tsv.spec.mount.v.share": "everyone"'}
    ${{ source: '/a', type: 'tmpfs' }}                    | ${'dev.tsv.spec.mount.v.share": ""'}
  `('refuses $fields', ({ fields, message }: { fields: Record<string, string>; message: string }) => {
    expect(() => parseMountHints(hint('v', fields))).toThrow(message);
  });

  it('refuses two volumes of one source', () => {
    const fields = { source: '/a', type: 'tmpfs', share: 'pod' };
    expect(() => parseMountHints({ ...hint('v', fields), ...hint('w', fields) })).toThrow('two volumes have "/a"');
  });
});

describe('isVolumeInMemory', () => {
  it.each`
    type       | share          | source  | expected
    ${'tmpfs'} | ${'pod'}       | ${'/a'} | ${true}
    ${'tmpfs'} | ${'container'} | ${'/a'} | ${true}
    ${'tmpfs'} | ${'shared'}    | ${'/a'} | ${false}
    ${'bind'}  | ${'pod'}       | ${'/a'} | ${false}
    ${'tmpfs'} | ${'pod'}       | ${'/b'} | ${false}
  `('$type, shared by $share, source $source: $expected', ({ type, share, source, expected }: Row) => {
    const hints = parseMountHints(hint('v', { source: '/a', type, share }));
    expect(isVolumeInMemory({ destination: '/x', source }, hints.get('/a'))).toBe(expected);
  });
});

interface Row {
  type: string;
  share: string;
  source: string;
  expected: boolean;
}
