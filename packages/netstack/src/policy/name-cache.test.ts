import { IpAddress } from '../wire/ip-address.js';
import { ADDRESS_COUNT_MAX, GRACE_MS, NAME_COUNT_MAX, NameCache } from './name-cache.js';

const ADDRESS = IpAddress.parse('192.0.2.1');
const addressAt = (n: number): IpAddress => IpAddress.parse(`10.${n >> 16}.${(n >> 8) & 0xff}.${n & 0xff}`);
const create = (): NameCache => new NameCache(1, (name) => name.startsWith('keep'));

describe('NameCache', () => {
  it('knows a name until some time after its TTL, and not a shorter time for being told again', () => {
    const cache = create();
    cache.add(ADDRESS, 'a', 60, 0);
    cache.add(ADDRESS, 'a', 0, 1);
    expect(cache.names(ADDRESS, 60_000 + GRACE_MS - 1)).toEqual(['a']);
    expect(cache.names(ADDRESS, 60_000 + GRACE_MS)).toEqual([]);
  });

  it('has the latest names of an address, and those that must be kept', () => {
    const cache = create();
    for (const name of ['first', 'keep']) cache.add(ADDRESS, name, 60, 0);
    for (let n = 2; n < NAME_COUNT_MAX; n++) cache.add(ADDRESS, `n${n}`, 60, 0);
    expect(cache.names(ADDRESS, 0)).toContain('first');
    for (let n = 0; n < NAME_COUNT_MAX; n++) expect(cache.add(ADDRESS, `m${n}`, 60, 0)).toBe(true);
    const names = cache.names(ADDRESS, 0);
    expect([names.length, names[0], names.at(-1)]).toEqual([NAME_COUNT_MAX, 'keep', `m${NAME_COUNT_MAX - 1}`]);
  });

  it('takes no more names where all must be kept, until one has expired', () => {
    const cache = create();
    for (let n = 0; n < NAME_COUNT_MAX; n++) expect(cache.add(ADDRESS, `keep${n}`, 60, 0)).toBe(true);
    expect(cache.add(ADDRESS, 'other', 60, 0)).toBe(false);
    expect(cache.add(ADDRESS, 'other', 60, 60_000 + GRACE_MS)).toBe(true);
  });

  it('makes room for addresses, but not by those with names that must be kept', () => {
    const cache = create();
    cache.add(ADDRESS, 'keep', 60, 0);
    for (let n = 1; n < ADDRESS_COUNT_MAX; n++) cache.add(addressAt(n), 'n', 60, 0);
    expect(cache.count).toBe(ADDRESS_COUNT_MAX);
    expect(cache.add(addressAt(0), 'n', 60, 0)).toBe(true);
    expect([cache.count, cache.names(ADDRESS, 0)]).toEqual([2, ['keep']]);
    for (let n = 1; n < ADDRESS_COUNT_MAX; n++) cache.add(addressAt(n), 'keep', 60, 0);
    cache.add(addressAt(0), 'keep', 60, 0);
    expect(cache.add(IpAddress.parse('::1'), 'n', 60, 0)).toBe(false);
  });
});
