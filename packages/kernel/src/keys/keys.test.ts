import { EDEADLK, EDQUOT, ELOOP } from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import { UserNamespace } from '../namespace/user-namespace.js';
import { KEYRING, keyTypeNamed, type Key } from './key.js';
import { Keys } from './keys.js';

const owner = Credentials.forUser(new UserNamespace(null, 0, 0), 1000, 1000);
const USER = keyTypeNamed('user')!;
const NO_BYTES = new Uint8Array(0);

function make(): { keys: Keys; ring: (name: string) => Key } {
  const keys = new Keys((dst) => dst.fill(9));
  const ring = (name: string): Key => {
    const key = keys.create(KEYRING, name, owner, 0x3f3f0000, NO_BYTES);
    if (typeof key === 'number') throw new Error(`errno ${-key}`);
    return key;
  };
  return { keys, ring };
}

describe('Keys, keyrings(7)', () => {
  it('lets a key go with the last that holds it, and what it links to', () => {
    const { keys, ring } = make();
    const [outer, inner] = [ring('outer'), ring('inner')];
    keys.hold(outer);
    keys.link(outer, inner);
    keys.drop(outer);
    expect([...keys.values()]).toEqual([]);
  });

  it('puts a key in the place of one of its type and description', () => {
    const { keys, ring } = make();
    const outer = ring('outer');
    const [first, second] = [ring('same'), ring('same')];
    keys.link(outer, first);
    keys.link(outer, second);
    expect([[...outer.links.values()], keys.get(first.serial)]).toEqual([[second], undefined]);
  });

  it('links no keyring into itself, and none that is too deep', () => {
    const { keys, ring } = make();
    const rings = Array.from({ length: 8 }, (_, i) => ring(`n${i}`));
    for (let i = 6; i >= 0; i--) expect(keys.link(rings[i]!, rings[i + 1]!)).toBe(i === 0 ? -ELOOP : 0);
    expect(keys.link(rings[7]!, rings[1]!)).toBe(-EDEADLK);
  });

  it('gives back a long chain at once', () => {
    const { keys, ring } = make();
    const head = ring('0');
    keys.hold(head);
    let last = head;
    for (let i = 1; i < 199; i++) {
      const next = ring(String(i));
      keys.link(last, next);
      last = next;
    }
    keys.drop(head);
    expect([...keys.values()].length).toBe(0);
  });

  it('counts keys and bytes of a user, EDQUOT', () => {
    const { keys } = make();
    const payload = new Uint8Array(15_000);
    expect(typeof keys.create(USER, 'a', owner, 0, payload)).toBe('object');
    expect(keys.create(USER, 'b', owner, 0, payload)).toBe(-EDQUOT);
  });
});
