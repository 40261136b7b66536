import assert from 'node:assert';
import {
  EAGAIN,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOMEM,
  EPERM,
  EPIPE,
  FIONREAD,
  O_DIRECT,
  O_RDWR,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
} from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { WaitEntry } from '@tsv/waiter';
import { AnonymousFiles, AnonymousInode } from './anonymous-files.js';
import { fifoOpener } from './fifo.js';
import { createPipe, type PipeFile } from './pipe-file.js';
import { PIPE_BYTES_DEFAULT, PIPE_BYTES_MAX, PipeSource } from './pipe.js';
import { FakeCaller, data, files, readText, room, writeText } from './testing/fake-caller.js';

class Recorder extends WaitEntry {
  seen = 0;
  notified(mask: number): void {
    this.seen |= mask;
  }
}

const EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP;

describe('a pipe, pipe(7)', () => {
  it('moves bytes in order, around the end of the ring', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    let sent = '';
    let got = '';
    for (let i = 0; i < 100; i++) {
      const text = String.fromCharCode(65 + (i % 26)).repeat(3000 + i);
      sent += text;
      expect(writeText(writer, text)).toBe(text.length);
      got += String(readText(reader, 5000));
    }
    expect(got).toBe(sent);
  });

  it('is empty: EAGAIN, and the end of file once no writer is left', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    expect(readText(reader, 1)).toBe(-EAGAIN);
    writeText(writer, 'x');
    writer.decRef();
    expect([readText(reader, 10), readText(reader, 10)]).toEqual(['x', '']);
  });

  it('without readers: EPIPE', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    reader.decRef();
    expect(writeText(writer, 'x')).toBe(-EPIPE);
  });

  it('whose ring the host has no memory for: ENOMEM', () => {
    const [, writer] = createPipe(files, 0, new FakeCaller());
    const bytes = data('x');
    const spy = jest.spyOn(globalThis, 'Uint8Array').mockImplementation(() => {
      throw new RangeError('Array buffer allocation failed');
    });
    const result = writer.write(bytes);
    spy.mockRestore();
    expect(result).toBe(-ENOMEM);
  });

  it('reads and writes of nothing move nothing', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    expect([readText(reader, 0), writeText(writer, '')]).toEqual(['', 0]);
  });

  it('holds 64 KiB, one byte at a time', () => {
    const [, writer] = createPipe(files, 0, new FakeCaller());
    for (let i = 0; i < PIPE_BYTES_DEFAULT; i++) writeText(writer, '.');
    expect([writer.pipe.count, writeText(writer, '.')]).toEqual([PIPE_BYTES_DEFAULT, -EAGAIN]);
  });

  it('takes up to PIPE_BUF bytes at once or not at all, and a part of more', () => {
    const [, writer] = createPipe(files, 0, new FakeCaller());
    writeText(writer, 'a'.repeat(PIPE_BYTES_DEFAULT - 4095));
    expect(writeText(writer, 'b'.repeat(4096))).toBe(-EAGAIN);
    expect(writeText(writer, 'b'.repeat(4097))).toBe(4095);
  });

  it('tells EFAULT of either side', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    writeText(writer, 'x');
    const bad = room(1);
    bad.segment = () => -EFAULT;
    expect([writer.write(bad), reader.read(bad), readText(reader, 9)]).toEqual([-EFAULT, -EFAULT, 'x']);
  });

  it.each`
    state                        | prepare                                            | reader     | writer
    ${'empty'}                   | ${() => undefined}                                 | ${0}       | ${POLLOUT}
    ${'one byte'}                | ${(w: Ends) => writeText(w[1], 'x')}               | ${POLLIN}  | ${POLLOUT}
    ${'less than PIPE_BUF free'} | ${(w: Ends) => writeText(w[1], 'x'.repeat(61441))} | ${POLLIN}  | ${0}
    ${'PIPE_BUF free'}           | ${(w: Ends) => writeText(w[1], 'x'.repeat(61440))} | ${POLLIN}  | ${POLLOUT}
    ${'no writer'}               | ${(w: Ends) => w[1].decRef()}                      | ${POLLHUP} | ${POLLOUT}
    ${'no reader'}               | ${(w: Ends) => w[0].decRef()}                      | ${0}       | ${POLLOUT | POLLERR}
  `(
    'readiness: $state',
    ({ prepare, reader, writer }: { prepare: (ends: Ends) => void; reader: number; writer: number }) => {
      const ends = createPipe(files, 0, new FakeCaller());
      prepare(ends);
      expect([ends[0].readiness() & EVENTS, ends[1].readiness() & EVENTS]).toEqual([reader, writer]);
    },
  );
  type Ends = ReturnType<typeof createPipe>;

  it('tells readers of bytes, writers of PIPE_BUF free bytes, and both of the end', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    const entry = new Recorder();
    reader.waiters.add(entry, POLLIN | POLLOUT);
    writeText(writer, 'x'.repeat(PIPE_BYTES_DEFAULT));
    expect(entry.seen & EVENTS).toBe(POLLIN);
    readText(reader, 4095);
    expect(entry.seen & EVENTS).toBe(POLLIN);
    readText(reader, 1);
    expect(entry.seen & EVENTS).toBe(POLLIN | POLLOUT);
    writer.decRef();
    expect(entry.seen & POLLHUP).toBe(POLLHUP);
    reader.decRef();
    expect(entry.seen & POLLERR).toBe(POLLERR);
  });

  it('with O_DIRECT keeps packets apart and drops what a read does not take', () => {
    const [reader, writer] = createPipe(files, O_DIRECT, new FakeCaller());
    for (const text of ['first', 'second']) writeText(writer, text);
    expect([readText(reader, 3), readText(reader, 100), readText(reader, 1)]).toEqual(['fir', 'second', -EAGAIN]);
  });

  it('FIONREAD tells the bytes that can be read', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    const caller = new FakeCaller();
    writeText(writer, 'seven b');
    expect([reader.ioctl(FIONREAD, 16, caller), caller.view.getInt32(16, true)]).toEqual([0, 7]);
    expect(reader.ioctl(FIONREAD, 1e6, caller)).toBe(-EFAULT);
  });

  it.each`
    bytes                 | isPrivileged | result
    ${0}                  | ${false}     | ${4096}
    ${4097}               | ${false}     | ${8192}
    ${PIPE_BYTES_MAX}     | ${false}     | ${PIPE_BYTES_MAX}
    ${PIPE_BYTES_MAX + 1} | ${false}     | ${-EPERM}
    ${PIPE_BYTES_MAX + 1} | ${true}      | ${2 * PIPE_BYTES_MAX}
    ${2 ** 31}            | ${true}      | ${-EINVAL}
  `(
    'F_SETPIPE_SZ $bytes, privileged $isPrivileged: $result',
    ({ bytes, isPrivileged, result }: Record<string, number>) => {
      const caller = new FakeCaller();
      caller.isPrivileged = Boolean(isPrivileged);
      expect(createPipe(files, 0, caller)[0].resize(bytes!, caller)).toBe(result);
    },
  );

  it('counts the pages of a user, pipe-user-pages-soft', () => {
    const own = new AnonymousFiles(new VirtualClock());
    const user = new FakeCaller();
    user.isPrivileged = false;
    const pipes = Array.from({ length: 64 }, () => createPipe(own, 0, user));
    for (const [reader] of pipes) expect(reader.resize(PIPE_BYTES_MAX, user)).toBe(PIPE_BYTES_MAX);
    const small = createPipe(own, 0, user)[0];
    const fifo = fifoOpener(own.pipePages)(own.createInode('fifo'), null, O_RDWR, user) as PipeFile;
    const ofRoot = createPipe(own, 0, new FakeCaller())[0];
    expect([small, fifo, ofRoot].map(({ pipe }) => pipe.capacity)).toEqual([8192, 8192, PIPE_BYTES_DEFAULT]);
    expect([small, fifo, ofRoot].map((file) => file.resize(PIPE_BYTES_MAX, user))).toEqual([-EPERM, -EPERM, -EPERM]);
    pipes[0]![0].resize(PIPE_BYTES_MAX / 2, user);
    expect(fifo.resize(PIPE_BYTES_MAX / 2, user)).toBe(PIPE_BYTES_MAX / 2);
    expect(small.resize(16384, user)).toBe(-EPERM);
    for (const end of pipes[1]!) end.decRef();
    expect(small.resize(PIPE_BYTES_MAX, user)).toBe(PIPE_BYTES_MAX);
    fifo.decRef();
    expect(createPipe(own, 0, user)[0].pipe.capacity).toBe(PIPE_BYTES_DEFAULT);
  });

  it('is a new pipe when its inode is opened after both ends were closed', () => {
    const user = new FakeCaller();
    const [reader, writer] = createPipe(files, 0, user);
    const { inode } = reader;
    assert(inode instanceof AnonymousInode);
    inode.incRef();
    writeText(writer, 'lost');
    reader.resize(PIPE_BYTES_MAX, user);
    for (const end of [reader, writer]) end.decRef();
    const again = inode.open(null, O_RDWR, user) as PipeFile;
    expect([again.pipe.count, again.pipe.capacity]).toEqual([0, PIPE_BYTES_DEFAULT]);
    again.decRef();
    inode.decRef();
  });

  it('keeps its content when resized, and refuses to lose any: EBUSY', () => {
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    const caller = new FakeCaller();
    writeText(writer, 'x'.repeat(60000));
    readText(reader, 60000);
    writeText(writer, 'abc'.repeat(3000));
    expect(reader.resize(4096, caller)).toBe(-EBUSY);
    expect(reader.resize(16384, caller)).toBe(16384);
    expect(readText(reader, 16384)).toBe('abc'.repeat(3000));
  });

  it('is a source of bytes that it keeps until they are consumed', () => {
    const [, writer] = createPipe(files, 0, new FakeCaller());
    const [, other] = createPipe(files, 0, new FakeCaller());
    writeText(writer, 'hello');
    const source = new PipeSource();
    source.reset(writer.pipe, 4);
    expect([other.write(source), writer.pipe.count]).toEqual([4, 5]);
    writer.pipe.consume(4);
    expect(writer.pipe.count).toBe(1);
    expect(other.write(data('!'))).toBe(1);
  });
});
