import { PAGE_BYTES } from '@tsv/platform';
import { bytesPerCall } from '../testing/bytes-per-call.js';
import { MmFixture } from './testing/mm-fixture.js';
import { UserIo } from './user-io.js';

describe('the hot path of guest memory access', () => {
  const fixture = new MmFixture();
  const addr = fixture.map({ len: 8 * PAGE_BYTES });
  const { mm } = fixture;
  const buffer = new Uint8Array(4096);
  const io = new UserIo();
  // Addresses as objects of the heap, which the null makes of them: whether a call is inlined is the compiler's choice, and
  // an address that is computed here would be allocated here for one that is not.
  const addrs = [null, ...Array.from({ length: 64 }, (_, i) => addr + i * 61)];
  const at = (i: number) => addrs[1 + (i & 63)]!;

  it.each<[string, (i: number) => void]>([
    ['copyIn of a structure', (i) => mm.copyIn(buffer, 0, at(i), 48)],
    ['copyOut of a structure', (i) => mm.copyOut(at(i), buffer, 0, 48)],
    ['load32', (i) => mm.load32(at(i))],
    ['store32', (i) => mm.store32(at(i), i)],
    ['cas32', (i) => mm.cas32(addr, i, i + 1)],
    ['futexKey', () => mm.futexKey(addr + 4, false)],
    [
      'UserIo',
      (i) => {
        io.reset(mm, at(i), 32, true);
        io.put(buffer, 0, 32);
      },
    ],
  ])('%s allocates nothing in the JavaScript heap', (_name, run) => {
    let i = 0;
    const bytes = bytesPerCall(() => {
      run(i++ & 0xfffff);
    });
    expect(bytes).toBeLessThan(1);
  });
});
