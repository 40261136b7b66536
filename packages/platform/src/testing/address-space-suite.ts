import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PAGE_BYTES, REASON_FAULT, REASON_SYSCALL, REG_ORIG_RAX, REG_RDI, REG_RIP, type Context } from '../index.js';
import { PROT_READ, PROT_WRITE, CODE, DATA, Guest } from './guest.js';
import type { PlatformUnderTest } from './platform-under-test.js';
import { asm } from './machine-code.js';
import { stubsOf } from './host-processes.js';

const SIGBUS = 7;
const SIGSEGV = 11;
const BUS_ADRERR = 2;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;

const probe = [...asm.loadRax, ...asm.syscall];

/** Mappings of memory and of host files. */
export function describeAddressSpaces(subject: PlatformUnderTest): void {
  describe('address spaces', () => {
    let guest: Guest;
    let dir: string;
    let known: number[];
    beforeEach(() => {
      known = stubsOf(process.pid);
      guest = new Guest(subject.create);
      dir = mkdtempSync(join(tmpdir(), 'tsv-platform-'));
    });
    afterEach(() => {
      guest.close();
      rmSync(dir, { recursive: true });
    });

    /** What the guest reads at `addr`: the low half of the word, or the fault's signal and code. */
    function read(context: Context, addr: number): number | string {
      context.page.set(REG_RIP, CODE);
      context.page.set(REG_RDI, addr);
      guest.step(context);
      if (context.page.reason === REASON_SYSCALL) return context.page.low(REG_ORIG_RAX);
      expect([context.page.reason, context.page.faultAddr]).toEqual([REASON_FAULT, addr]);
      return `${context.page.signo}/${context.page.sigCode}`;
    }

    function hostFile(bytes: Uint8Array): number {
      const path = join(dir, 'file');
      writeFileSync(path, bytes);
      return openSync(path, 'r+');
    }

    describe('AddressSpace.mapMemory', () => {
      it('maps in place of what was there', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        const pfn = guest.memory.allocate(2);
        guest.memory.write(pfn, 0, Uint8Array.from([1]));
        guest.memory.write(pfn + 1, 0, Uint8Array.from([2]));
        space.mapMemory(DATA, PAGE_BYTES, PROT_READ, pfn);
        expect(read(context, DATA)).toBe(1);
        space.mapMemory(DATA, PAGE_BYTES, PROT_READ, pfn + 1);
        expect(read(context, DATA)).toBe(2);
      });

      it('reaches both ends of what guests may map', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        const { minUserAddr, maxUserAddr } = guest.platform;
        const pfn = guest.memory.allocate(1);
        guest.memory.write(pfn, 0, Uint8Array.from([7]));
        space.mapMemory(minUserAddr, PAGE_BYTES, PROT_READ, pfn);
        space.mapMemory(maxUserAddr - PAGE_BYTES, PAGE_BYTES, PROT_READ, pfn);
        expect([read(context, minUserAddr), read(context, maxUserAddr - PAGE_BYTES)]).toEqual([7, 7]);
      });

      it.each`
        what                      | addr                | len
        ${'below the range'}      | ${0xf000}           | ${0x1000}
        ${'behind the range'}     | ${0x7fff_0000_0000} | ${0x1000}
        ${'across the end'}       | ${0x7ffe_ffff_f000} | ${0x2000}
        ${'over the stub'}        | ${0x7fff_1000_0000} | ${0x1000}
        ${'of no bytes'}          | ${0x10000}          | ${0}
        ${'not aligned'}          | ${0x10800}          | ${0x1000}
        ${'of a part of a page'}  | ${0x10000}          | ${0x10}
        ${'that is not a number'} | ${NaN}              | ${0x1000}
      `('and its kin refuse a range $what', ({ addr, len }: { addr: number; len: number }) => {
        const { space } = guest.space(probe);
        expect(() => space.mapMemory(addr, len, PROT_READ, 0)).toThrow();
        expect(() => space.unmap(addr, len)).toThrow();
        expect(() => space.protect(addr, len, PROT_READ)).toThrow();
        expect(() => space.mapHostFile(addr, len, PROT_READ, 0, 0, true)).toThrow();
      });

      it('tells of a page behind the end of the file', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        space.mapMemory(DATA, PAGE_BYTES, PROT_READ, 1 << 20);
        expect(read(context, DATA)).toBe(`${SIGBUS}/${BUS_ADRERR}`);
      });

      it('carries out many more changes than fit in a page, in order', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        const pfn = guest.memory.allocate(500);
        for (let page = 0; page < 500; page++) {
          guest.memory.write(pfn + page, 0, Uint8Array.from([page & 0xff, page >> 8]));
          // Every other page, so that none can be joined to the one before.
          space.mapMemory(DATA + page * 2 * PAGE_BYTES, PAGE_BYTES, PROT_READ, pfn + page);
        }
        expect(space.flush()).toBe(0);
        for (const page of [0, 71, 72, 73, 74, 146, 499])
          expect(read(context, DATA + page * 2 * PAGE_BYTES)).toBe(page);
      });
    });

    describe('AddressSpace.unmap and protect', () => {
      it('take pages away, and rights', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        space.mapMemory(DATA, 3 * PAGE_BYTES, PROT_READ, guest.memory.allocate(3));
        expect(read(context, DATA)).toBe(0);
        space.protect(DATA + PAGE_BYTES, PAGE_BYTES, 0);
        // Holes in the range do not matter.
        space.unmap(DATA + 2 * PAGE_BYTES, 5 * PAGE_BYTES);
        expect(read(context, DATA)).toBe(0);
        expect(read(context, DATA + PAGE_BYTES)).toBe(`${SIGSEGV}/${SEGV_ACCERR}`);
        expect(read(context, DATA + 2 * PAGE_BYTES)).toBe(`${SIGSEGV}/${SEGV_MAPERR}`);
      });
    });

    describe('AddressSpace.flush', () => {
      it('says what failed; what followed is not done', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        expect(space.flush()).toBe(0);
        space.protect(0x7000_0000, PAGE_BYTES, PROT_READ);
        space.mapMemory(0x7000_0000, PAGE_BYTES, PROT_READ, 0);
        expect(space.flush()).toBe(-12);
        expect(read(context, 0x7000_0000)).toBe(`${SIGSEGV}/${SEGV_MAPERR}`);
        expect(space.flush()).toBe(0);
      });
    });

    describe('AddressSpace.mapHostFile', () => {
      it('maps a part of a file, whose descriptor may be closed after the flush', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        const bytes = new Uint8Array(2 * PAGE_BYTES);
        bytes[PAGE_BYTES] = 5;
        const fd = hostFile(bytes);
        space.mapHostFile(DATA, PAGE_BYTES, PROT_READ, fd, PAGE_BYTES, false);
        expect(space.flush()).toBe(0);
        closeSync(fd);
        expect(read(context, DATA)).toBe(5);
      });

      it('writes through to the file when it is shared', () => {
        const { space } = guest.space([...asm.storeRax, ...asm.syscall]);
        const context = guest.thread(space);
        const fd = hostFile(new Uint8Array(PAGE_BYTES).fill(0xff));
        space.mapHostFile(DATA, PAGE_BYTES, PROT_READ | PROT_WRITE, fd, 0, true);
        expect(read(context, DATA + 8)).toBe(0);
        closeSync(fd);
        expect(readFileSync(join(dir, 'file')).subarray(7, 17)).toEqual(
          Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 0, 255]),
        );
      });

      it('leaves no descriptor in the stubs of a file that can be written', () => {
        const { space } = guest.space(probe);
        guest.thread(space);
        const fd = hostFile(new Uint8Array(PAGE_BYTES));
        for (let i = 0; i < 20; i++) {
          space.mapHostFile(DATA + i * 2 * PAGE_BYTES, PAGE_BYTES, PROT_READ, fd, 0, false);
          if (i % 7 === 0) expect(space.flush()).toBe(0);
        }
        space.release();
        closeSync(fd);
        // All stubs have one table of descriptors; the zygote's is there to look at.
        const [zygote] = stubsOf(process.pid).filter((pid) => !known.includes(pid));
        expect(readdirSync(`/proc/${zygote}/fd`)).toHaveLength(1 + subject.stubDescriptors.length);
      });

      it('keeps a descriptor of a file that is read, which does not stand for another file with its number', () => {
        const { space } = guest.space(probe);
        const context = guest.thread(space);
        for (const [name, byte] of [
          ['a', 7],
          ['b', 8],
          ['b', 8],
          ['a', 7],
        ] as const) {
          const path = join(dir, name);
          if (!existsSync(path)) writeFileSync(path, new Uint8Array(PAGE_BYTES).fill(byte));
          const fd = openSync(path, 'r');
          space.mapHostFile(DATA, PAGE_BYTES, PROT_READ, fd, 0, false);
          expect(space.flush()).toBe(0);
          closeSync(fd);
          expect(Number(read(context, DATA)) % 256).toBe(byte);
        }
        const [zygote] = stubsOf(process.pid).filter((pid) => !known.includes(pid));
        expect(readdirSync(`/proc/${zygote}/fd`)).toHaveLength(1 + subject.stubDescriptors.length + 2);
      });

      it('tells by the next flush that the descriptor is none', () => {
        const { space } = guest.space(probe);
        guest.thread(space);
        space.mapHostFile(DATA, PAGE_BYTES, PROT_READ, 9999, 0, false);
        expect([space.flush(), space.flush()]).toEqual([-9, 0]);
      });
    });
  });
}
