import fc from 'fast-check';
import {
  EIO,
  ENOEXEC,
  E_ENTRY,
  E_MACHINE,
  E_PHENTSIZE,
  E_PHNUM,
  E_PHOFF,
  E_TYPE,
  ET_DYN,
  PF_R,
  PF_X,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  P_ALIGN,
  P_FILESZ,
  P_FLAGS,
  P_MEMSZ,
  P_OFFSET,
  P_TYPE,
  P_VADDR,
  SIZEOF_EHDR,
  SIZEOF_PHDR,
  storeI64,
} from '@tsv/abi';
import { tinyElf } from '../../testing/tiny-elf.js';
import { parseElf, type ElfImage, type ReadAt } from './elf-image.js';
import { HEAD_BYTES, parseScriptLine } from './script.js';

const MAX_ADDR = 0x7fff_ffff_f000;
const PHDR = SIZEOF_EHDR;

const reader =
  (bytes: Uint8Array): ReadAt =>
  (dst, offset) => {
    const part = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + dst.length, bytes.length));
    dst.set(part);
    return part.length;
  };
const parse = (bytes: Uint8Array) => parseElf(reader(bytes), MAX_ADDR);

/** An ELF file with a second program header, changed by `edit`. */
function edited(edit: (mem: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(0x400);
  bytes.set(tinyElf().subarray(0, PHDR + SIZEOF_PHDR));
  const mem = new DataView(bytes.buffer);
  edit(mem);
  return bytes;
}
const withSecond = (type: number, fields: Record<number, number>) =>
  edited((mem) => {
    mem.setUint16(E_PHNUM, 2, true);
    mem.setUint32(PHDR + SIZEOF_PHDR + P_TYPE, type, true);
    for (const [field, value] of Object.entries(fields)) storeI64(mem, PHDR + SIZEOF_PHDR + Number(field), value);
  });

describe('parseElf, elf(5)', () => {
  it('tells segments, entry and where the program headers are', () => {
    expect(parse(tinyElf())).toEqual<ElfImage>({
      isPositionIndependent: false,
      entry: 0x40_0078,
      segments: [{ vaddr: 0x40_0000, offset: 0, fileBytes: 0x80, memBytes: 0x80, flags: PF_R | PF_X }],
      alignBytes: 4096,
      phdrAddr: 0x40_0040,
      phdrCount: 1,
      interpreter: null,
      hasExecutableStack: false,
      start: 0x40_0000,
      end: 0x40_1000,
    });
  });
  it('tells position-independent programs, the interpreter and the stack', () => {
    const bytes = withSecond(PT_INTERP, { [P_OFFSET]: 0x200, [P_FILESZ]: 8 });
    new DataView(bytes.buffer).setUint16(E_TYPE, ET_DYN, true);
    bytes.set(
      Uint8Array.from('/lib/ld\0', (c) => c.charCodeAt(0)),
      0x200,
    );
    expect(parse(bytes)).toMatchObject({ isPositionIndependent: true, interpreter: '/lib/ld' });
    const stack = withSecond(PT_GNU_STACK, {});
    new DataView(stack.buffer).setUint32(PHDR + SIZEOF_PHDR + P_FLAGS, PF_X, true);
    expect(parse(stack)).toMatchObject({ hasExecutableStack: true });
  });
  it('honours large alignments that are powers of two', () => {
    expect(parse(edited((mem) => storeI64(mem, PHDR + P_ALIGN, 0x20_0000)))).toMatchObject({ alignBytes: 0x20_0000 });
    expect(parse(edited((mem) => storeI64(mem, PHDR + P_ALIGN, 0x30_0000)))).toMatchObject({ alignBytes: 4096 });
  });

  const refused: [string, Uint8Array][] = [
    ['an empty file', new Uint8Array(0)],
    ['a cut header', tinyElf().subarray(0, 60)],
    ['cut program headers', tinyElf().subarray(0, 100)],
    [
      'another magic',
      edited((mem) => {
        mem.setUint8(0, 0);
      }),
    ],
    [
      'ELFCLASS32',
      edited((mem) => {
        mem.setUint8(4, 1);
      }),
    ],
    [
      'big-endian',
      edited((mem) => {
        mem.setUint8(5, 2);
      }),
    ],
    [
      'an object file',
      edited((mem) => {
        mem.setUint16(E_TYPE, 1, true);
      }),
    ],
    [
      'another machine',
      edited((mem) => {
        mem.setUint16(E_MACHINE, 183, true);
      }),
    ],
    [
      'another header size',
      edited((mem) => {
        mem.setUint16(E_PHENTSIZE, 32, true);
      }),
    ],
    [
      'no program headers',
      edited((mem) => {
        mem.setUint16(E_PHNUM, 0, true);
      }),
    ],
    [
      'too many program headers',
      edited((mem) => {
        mem.setUint16(E_PHNUM, 0xffff, true);
      }),
    ],
    [
      'program headers behind the end',
      edited((mem) => {
        storeI64(mem, E_PHOFF, 2 ** 52);
      }),
    ],
    [
      'nothing to load',
      edited((mem) => {
        mem.setUint32(PHDR + P_TYPE, PT_GNU_STACK, true);
      }),
    ],
    [
      'a segment beyond the user addresses',
      edited((mem) => {
        storeI64(mem, PHDR + P_VADDR, MAX_ADDR);
      }),
    ],
    [
      'a kernel address',
      edited((mem) => {
        storeI64(mem, PHDR + P_VADDR, -4096);
      }),
    ],
    [
      'more in the file than in memory',
      edited((mem) => {
        storeI64(mem, PHDR + P_MEMSZ, 1);
      }),
    ],
    [
      'pages that cannot be mapped',
      edited((mem) => {
        storeI64(mem, PHDR + P_OFFSET, 1);
      }),
    ],
    ['overlapping segments', withSecond(PT_LOAD, { [P_VADDR]: 0x40_0000, [P_MEMSZ]: 1 })],
    ['an interpreter without NUL', withSecond(PT_INTERP, { [P_OFFSET]: 0, [P_FILESZ]: 7 })],
    ['an interpreter behind the end', withSecond(PT_INTERP, { [P_OFFSET]: 0x10000, [P_FILESZ]: 8 })],
    ['a giant interpreter name', withSecond(PT_INTERP, { [P_OFFSET]: 0, [P_FILESZ]: 2 ** 40 })],
  ];
  it.each(refused)('refuses %s: ENOEXEC', (_name, bytes) => {
    expect(parse(bytes)).toBe(-ENOEXEC);
  });
  it('returns what reading returns', () => {
    expect(parseElf(() => -EIO, MAX_ADDR)).toBe(-EIO);
  });
  it('takes any bytes, and returns only segments within the user addresses', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(0xff), fc.nat(0xff)), { maxLength: 12 }), (edits) => {
        const bytes = withSecond(PT_LOAD, { [P_VADDR]: 0x60_0000, [P_MEMSZ]: 0x2000 });
        for (const [at, value] of edits) if (at >= E_ENTRY) bytes[at] = value;
        const image = parse(bytes);
        if (typeof image === 'number') return image === -ENOEXEC;
        return image.segments.every((s) => s.vaddr + s.memBytes <= MAX_ADDR) && image.end <= MAX_ADDR;
      }),
    );
  });
});

describe('parseScriptLine, execve(2)', () => {
  const line = (text: string) => {
    const bytes = Uint8Array.from(text.slice(0, HEAD_BYTES), (c) => c.charCodeAt(0));
    return parseScriptLine(bytes, bytes.length);
  };
  it.each([
    ['#!/bin/sh\necho', '/bin/sh', null],
    ['#! \t/bin/sh \t\n', '/bin/sh', null],
    ['#!/bin/awk -f  x \n', '/bin/awk', '-f  x'],
    ['#!/bin/sh', '/bin/sh', null],
    ['#!relative\n', 'relative', null],
    [`#!/bin/sh ${'x'.repeat(300)}`, '/bin/sh', 'x'.repeat(HEAD_BYTES - 10)],
  ])('%j names %s', (text, interpreter, argument) => {
    expect(line(text)).toEqual({ interpreter, argument });
  });
  it.each(['', '#', '#!', '#!\n/bin/sh', '#! \t \n', ' #!/bin/sh\n', `#!/${'x'.repeat(300)}`])('%j is none', (text) => {
    expect(line(text)).toBeNull();
  });
});
