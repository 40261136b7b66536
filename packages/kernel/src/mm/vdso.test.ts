import { PT_LOAD, SIZEOF_PHDR, loadU64 } from '@tsv/abi';
import { PAGE_BYTES, UsageKind, chunkAt } from '@tsv/platform';
import { HeapMemoryFile } from '../testing/heap-memory-file.js';
import { PARAM_CPU_GS_LEN, PARAM_CPU_GS_START, PARAM_CPU_OFFSET } from './vdso-image.generated.js';
import { createVdso, type Vdso } from './vdso.js';

const DT_NULL = 0;
const DT_SYMTAB = 6;
const DT_STRTAB = 5;
const DT_HASH = 4;
const DT_RELA = 7;
const DT_JMPREL = 23;
const DT_REL = 17;
const PT_DYNAMIC = 2;
const SIZEOF_SYM = 24;

describe('the vDSO image, vdso(7)', () => {
  const memory = new HeapMemoryFile(16);
  const vdso = createVdso(memory);
  if (typeof vdso === 'number') throw new Error('no memory');
  const at = chunkAt(vdso.imagePfn);
  const view = new DataView(memory.chunks[0]!.buffer, at, vdso.imagePageCount * PAGE_BYTES);
  const phdrs = Array.from({ length: view.getUint16(56, true) }, (_, i) => 64 + i * SIZEOF_PHDR);
  const dynamic = new Map<number, number>();
  const dynamicAt = loadU64(view, phdrs.find((phdr) => view.getUint32(phdr, true) === PT_DYNAMIC)! + 16);
  for (let entry = dynamicAt; loadU64(view, entry) !== DT_NULL; entry += 16) {
    dynamic.set(loadU64(view, entry), loadU64(view, entry + 8));
  }
  const text = (start: number): string => {
    let end = start;
    while (view.getUint8(end) !== 0) end++;
    return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + start, end - start));
  };

  it('lies behind its parameter page', () => {
    expect(vdso.imagePfn).toBe(vdso.paramPfn + 1);
    expect(memory.pageCount(UsageKind.SYSTEM)).toBe(1 + vdso.imagePageCount);
  });
  it('is told where threads find their CPU, if anywhere', () => {
    const cpuAt = ({ paramPfn }: Vdso): number[] =>
      [PARAM_CPU_GS_START, PARAM_CPU_GS_LEN, PARAM_CPU_OFFSET].map((param) =>
        loadU64(memory.views[0]!, chunkAt(paramPfn) + param),
      );
    expect(cpuAt(vdso)).toEqual([0, 0, 0]);
    const other = createVdso(memory, { gsStart: 0x7fff_4000_0000, gsEnd: 0x7fff_7000_0000, offset: 672 });
    expect(cpuAt(other as Vdso)).toEqual([0x7fff_4000_0000, 0x3000_0000, 672]);
  });
  it('is one segment at address 0', () => {
    const loads = phdrs.filter((phdr) => view.getUint32(phdr, true) === PT_LOAD);
    expect(loads.map((phdr) => [loadU64(view, phdr + 8), loadU64(view, phdr + 16)])).toEqual([[0, 0]]);
  });
  it('needs no relocation', () => {
    expect([DT_REL, DT_RELA, DT_JMPREL].filter((tag) => dynamic.has(tag))).toEqual([]);
  });
  it('exports the functions that C libraries look for', () => {
    const symbolCount = view.getUint32(dynamic.get(DT_HASH)! + 4, true);
    const names: string[] = [];
    for (let i = 1; i < symbolCount; i++) {
      const symbol = dynamic.get(DT_SYMTAB)! + i * SIZEOF_SYM;
      names.push(text(dynamic.get(DT_STRTAB)! + view.getUint32(symbol, true)));
    }
    expect(names.sort()).toEqual([
      'LINUX_2.6',
      '__vdso_clock_getres',
      '__vdso_clock_gettime',
      '__vdso_getcpu',
      '__vdso_gettimeofday',
      '__vdso_time',
    ]);
  });
});
