import { EBADF, EMFILE } from '@tsv/abi';
import { FdTable, NR_OPEN } from './fd-table.js';
import { FakeCaller, PlainFile } from './testing/fake-caller.js';

const caller = new FakeCaller();

describe('FdTable', () => {
  it('gives the lowest free descriptor', () => {
    const fds = new FdTable();
    for (let i = 0; i < 4; i++) expect(fds.install(new PlainFile(), 0, false)).toBe(i);
    fds.close(1, caller);
    fds.close(2, caller);
    expect([0, 0, 0].map(() => fds.install(new PlainFile(), 0, false))).toEqual([1, 2, 4]);
  });

  it('looks from minFd on, beyond what was ever used', () => {
    const fds = new FdTable();
    expect([10, 10, 70, 0, 63, 63].map((min) => fds.install(new PlainFile(), min, false))).toEqual([
      10, 11, 70, 0, 63, 64,
    ]);
  });

  it('consumes the file at the limit, EMFILE', () => {
    const fds = new FdTable();
    fds.limit = 2;
    const files = [new PlainFile(), new PlainFile(), new PlainFile()];
    expect(files.map((file) => fds.install(file, 0, false))).toEqual([0, 1, -EMFILE]);
    expect(files.map((file) => file.isReleased)).toEqual([false, false, true]);
  });

  it.each([-1, 1024, NR_OPEN])('installAt %d: EBADF', (fd) => {
    const file = new PlainFile();
    expect(new FdTable().installAt(fd, file, false, caller)).toBe(-EBADF);
    expect(file.isReleased).toBe(true);
  });

  it('installAt closes what was there', () => {
    const fds = new FdTable();
    const before = new PlainFile();
    fds.install(before, 0, true);
    expect(fds.installAt(0, new PlainFile(), false, caller)).toBe(0);
    expect([before.isReleased, before.flushCount, fds.isCloseOnExec(0), fds.count]).toEqual([true, 1, false, 1]);
  });

  it('holds a file once for each descriptor', () => {
    const fds = new FdTable();
    const file = new PlainFile();
    fds.install(file, 0, false);
    expect(fds.dup(0, 5, true)).toBe(5);
    expect([fds.isCloseOnExec(0), fds.isCloseOnExec(5), file.refCount]).toEqual([false, true, 2]);
    expect(fds.close(0, caller)).toBe(0);
    expect([file.isReleased, file.flushCount]).toEqual([false, 1]);
    fds.close(5, caller);
    expect(file.isReleased).toBe(true);
  });

  it('dup and close of a free descriptor: EBADF', () => {
    const fds = new FdTable();
    expect([fds.dup(3, 0, false), fds.close(3, caller), fds.close(-1, caller), fds.close(1e9, caller)]).toEqual(
      new Array(4).fill(-EBADF),
    );
  });

  it('closes on exec what asks for it', () => {
    const fds = new FdTable();
    for (let fd = 0; fd < 100; fd++) fds.install(new PlainFile(), 0, fd % 3 === 0);
    fds.closeOnExec(caller);
    expect([...fds.fds()]).toEqual(Array.from({ length: 100 }, (_, fd) => fd).filter((fd) => fd % 3 !== 0));
  });

  it('fork copies descriptors, flags and the limit', () => {
    const fds = new FdTable();
    fds.limit = 4096;
    const file = new PlainFile();
    fds.install(file, 31, true);
    const copy = fds.fork();
    expect([[...copy.fds()], copy.isCloseOnExec(31), copy.limit, file.refCount]).toEqual([[31], true, 4096, 2]);
    fds.decRef(caller);
    expect(file.isReleased).toBe(false);
    copy.decRef(caller);
    expect(file.isReleased).toBe(true);
  });
});
