import type { Caller } from '@tsv/vfs';
import type { Mm } from '../mm/mm.js';
import type { Vma } from '../mm/vma.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

/** /proc/PID/maps, proc_pid_maps(5). */
export function formatMaps(mm: Mm, caller: Caller): string {
  let text = '';
  for (const vma of mm.vmas()) text += mapsLine(mm, vma, caller);
  return text;
}

function mapsLine(mm: Mm, vma: Vma, caller: Caller): string {
  const addr = (value: number): string => value.toString(16).padStart(8, '0');
  const bit = (prot: number, letter: string): string => ((vma.prot & prot) === 0 ? '-' : letter);
  const mode = bit(PROT_READ, 'r') + bit(PROT_WRITE, 'w') + bit(PROT_EXEC, 'x') + (vma.isShared ? 's' : 'p');
  const inode = vma.file?.inode;
  const offset = vma.file === null ? 0 : vma.offset;
  const dev = inode?.fs.dev ?? 0;
  const devText = `${hex2((dev >>> 8) & 0xfff)}:${hex2((dev & 0xff) | ((dev >>> 12) & 0xfff00))}`;
  const head = `${addr(vma.start)}-${addr(vma.end)} ${mode} ${addr(offset)} ${devText} ${inode?.ino ?? 0} `;
  const name = mm.describe(vma, caller);
  return `${name === '' ? head : head.padEnd(73) + name}\n`;
}

const hex2 = (value: number): string => value.toString(16).padStart(2, '0');

/** /proc/PID/smaps, proc_pid_smaps(5), with the lines that programs read. */
export function formatSmaps(mm: Mm, caller: Caller): string {
  let text = '';
  for (const vma of mm.vmas()) {
    const sizeKb = (vma.end - vma.start) / 1024;
    const residentKb = vma.isHostMapped ? sizeKb : mm.residentBytes(vma.start, vma.end) / 1024;
    const rows: [string, number][] = [
      ['Size', sizeKb],
      ['KernelPageSize', 4],
      ['MMUPageSize', 4],
      ['Rss', residentKb],
      ['Pss', residentKb],
      ['Shared_Clean', 0],
      ['Shared_Dirty', 0],
      ['Private_Clean', 0],
      ['Private_Dirty', residentKb],
      ['Referenced', residentKb],
      ['Anonymous', vma.file === null ? residentKb : 0],
      ['Swap', 0],
      ['Locked', 0],
    ];
    text += mapsLine(mm, vma, caller);
    text += rows.map(([name, kb]) => `${`${name}:`.padEnd(16)}${String(kb).padStart(8)} kB\n`).join('');
  }
  return text;
}
