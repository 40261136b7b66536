import { PROT_EXEC, PROT_READ, PROT_WRITE } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { Placement } from './map-request.js';
import { FakeHostFile, MmFixture } from './testing/mm-fixture.js';
import { VM_SHARED } from './vma.js';

const RX = PROT_READ | PROT_EXEC;
const OLD = [...Uint8Array.from({ length: 4 }, (_, i) => i + 1)];
const NEW = Uint8Array.of(9, 8, 7, 6);
const AT = 100;

let fixture: MmFixture;
let file: FakeHostFile;
let addr: number;

beforeEach(() => {
  fixture = new MmFixture();
  file = new FakeHostFile(9, new Uint8Array(2 * PAGE_BYTES));
  file.bytes.set(OLD, AT);
  addr = fixture.map({ len: 2 * PAGE_BYTES, prot: RX, mappable: file, file: file.file });
});

afterEach(() => {
  expect(fixture.mismatches()).toEqual([]);
  fixture.mm.decRef();
});

function bytesAt(at: number, f = fixture): number[] {
  const bytes = new Uint8Array(4);
  expect(f.mm.copyIn(bytes, 0, at, 4)).toBe(0);
  return [...bytes];
}

describe('PrivateCode.replace', () => {
  it('changes the process, not the file, and neither the rest of the page nor the mapping', () => {
    expect(fixture.mm.code.replace(addr + AT, NEW)).toBe(true);
    expect(bytesAt(addr + AT)).toEqual([...NEW]);
    expect(bytesAt(addr + AT + 4)).toEqual([0, 0, 0, 0]);
    expect([...file.bytes.subarray(AT, AT + 4)]).toEqual(OLD);
    expect(fixture.mm.vmas().map((vma) => [vma.start, vma.end, vma.prot])).toEqual([[addr, addr + 2 * PAGE_BYTES, RX]]);
  });

  it.each`
    what                        | request
    ${'that can be written'}    | ${{ prot: RX | PROT_WRITE }}
    ${'that is not executable'} | ${{ prot: PROT_READ }}
    ${'that others share'}      | ${{ prot: RX, flags: VM_SHARED }}
  `('refuses code $what', ({ request }: { request: object }) => {
    const other = fixture.map({ mappable: file, file: file.file, ...request });
    expect(fixture.mm.code.read(other, new Uint8Array(4), 4)).toBe(false);
    expect(fixture.mm.code.replace(other, NEW)).toBe(false);
  });

  it('refuses memory that is no file, and none', () => {
    expect(fixture.mm.code.replace(fixture.map({ prot: RX }), NEW)).toBe(false);
    expect(fixture.mm.code.replace(0x1234_0000, NEW)).toBe(false);
  });

  it('is seen by a copy of the address space, which puts the old bytes back by itself', () => {
    fixture.mm.code.replace(addr + AT, NEW);
    const child = fixture.fork();
    expect(bytesAt(addr + AT, child)).toEqual([...NEW]);
    expect(child.mm.protect(addr, addr + PAGE_BYTES, PROT_READ | PROT_WRITE)).toBe(0);
    expect([bytesAt(addr + AT, child), bytesAt(addr + AT)]).toEqual([OLD, [...NEW]]);
    expect(child.mismatches()).toEqual([]);
    child.mm.decRef();
  });
});

describe('PrivateCode.restore', () => {
  beforeEach(() => {
    fixture.mm.code.replace(addr + AT, NEW);
  });

  it('comes with mprotect(2) to writable, whatever it was meanwhile', () => {
    expect(fixture.mm.protect(addr, addr + PAGE_BYTES, PROT_READ)).toBe(0);
    expect(bytesAt(addr + AT)).toEqual([...NEW]);
    expect(fixture.mm.protect(addr, addr + PAGE_BYTES, 0)).toBe(0);
    expect(fixture.mm.protect(addr, addr + PAGE_BYTES, PROT_READ | PROT_WRITE)).toBe(0);
    expect(bytesAt(addr + AT)).toEqual(OLD);
  });

  it('comes for whoever reads or writes a page of it in the name of a debugger', () => {
    fixture.mm.code.reveal(addr + PAGE_BYTES, 8);
    expect(bytesAt(addr + AT)).toEqual([...NEW]);
    fixture.mm.code.reveal(addr + PAGE_BYTES - 1, 1);
    expect(bytesAt(addr + AT)).toEqual(OLD);
  });

  it('leaves pages alone that are others by now', () => {
    fixture.mm.unmap(addr, PAGE_BYTES);
    expect(fixture.map({ addr, placement: Placement.FIXED })).toBe(addr);
    fixture.mm.code.restore(addr, addr + PAGE_BYTES);
    expect(bytesAt(addr + AT)).toEqual([0, 0, 0, 0]);
  });
});
