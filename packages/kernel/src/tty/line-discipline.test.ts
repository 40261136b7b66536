import {
  EAGAIN,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ECHONL,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNCR,
  IMAXBEL,
  INLCR,
  ISIG,
  ISTRIP,
  IUTF8,
  IXANY,
  IXON,
  NOFLSH,
  OCRNL,
  OLCUC,
  ONLCR,
  ONLRET,
  ONOCR,
  OPOST,
  SIGINT,
  SIGQUIT,
  SIGTSTP,
  VEOL,
  VMIN,
  VTIME,
  XTABS,
} from '@tsv/abi';
import { MemoryIo } from '@tsv/vfs';
import { ByteRing } from './byte-ring.js';
import { LineDiscipline } from './line-discipline.js';
import { OutputProcessing } from './output-processing.js';
import { Termios } from './termios.js';

function terminal(change: (termios: Termios) => void = () => undefined) {
  const termios = new Termios();
  change(termios);
  const ring = new ByteRing(65536);
  const output = new OutputProcessing(termios, ring);
  const events: (string | number)[] = [];
  const line = new LineDiscipline(termios, output, {
    signal: (signo) => events.push(signo),
    setStopped: (isStopped) => events.push(isStopped ? 'stop' : 'start'),
    flushOutput: () => ring.clear(),
  });
  const type = (text: string) => {
    for (const byte of Buffer.from(text, 'latin1')) line.receive(byte);
  };
  const read = (len = 100, isExpired = false) => {
    const bytes = Buffer.alloc(len);
    const n = line.read(new MemoryIo(bytes), isExpired);
    return n < 0 ? n : bytes.toString('latin1', 0, n);
  };
  const screen = () => {
    const bytes = Buffer.alloc(ring.count);
    ring.take(new MemoryIo(bytes));
    return bytes.toString('latin1');
  };
  const write = (text: string) => {
    for (const byte of Buffer.from(text, 'latin1')) output.put(byte);
    return screen();
  };
  return { termios, line, type, read, screen, write, events };
}

const raw = (t: Termios) => (t.lflag &= ~(ICANON | ECHO | ISIG | IEXTEN));
const BACK = '\b \b';

describe('canonical input, termios(3)', () => {
  it('waits for a line and gives one at a time', () => {
    const tty = terminal();
    tty.type('one');
    expect([tty.line.isReadable, tty.read()]).toEqual([false, -EAGAIN]);
    tty.type('\ntwo\n');
    expect([tty.line.readableBytes, tty.read(), tty.read(2), tty.read(), tty.read()]).toEqual([
      8,
      'one\n',
      'tw',
      'o\n',
      -EAGAIN,
    ]);
  });

  it('VEOF ends a line without being in it; on an empty line it is the end of file', () => {
    const tty = terminal();
    tty.type('ab\x04');
    expect([tty.line.readableBytes, tty.read(), tty.read()]).toEqual([2, 'ab', -EAGAIN]);
    tty.type('\x04');
    expect([tty.read(), tty.read()]).toEqual(['', -EAGAIN]);
  });

  it('VEOL ends a line and is in it', () => {
    const tty = terminal((t) => (t.cc[VEOL] = 59));
    tty.type('a;');
    expect(tty.read()).toBe('a;');
  });

  it.each`
    typed                 | line         | echo
    ${'abc\x7f\n'}        | ${'ab\n'}    | ${`abc${BACK}\r\n`}
    ${'\x7fa\n'}          | ${'a\n'}     | ${'a\r\n'}
    ${'a\x01\x7f\n'}      | ${'a\n'}     | ${`a^A${BACK}${BACK}\r\n`}
    ${'ab\tc\x7f\x7fd\n'} | ${'abd\n'}   | ${`ab\tc${BACK}${'\b'.repeat(6)}d\r\n`}
    ${'a\t\t\x7f\n'}      | ${'a\t\n'}   | ${`a\t\t${'\b'.repeat(8)}\r\n`}
    ${'one two \x17x\n'}  | ${'one x\n'} | ${`one two ${BACK.repeat(4)}x\r\n`}
    ${'abc\x15x\n'}       | ${'x\n'}     | ${`abc${BACK.repeat(3)}x\r\n`}
    ${'a\x16\x7f\n'}      | ${'a\x7f\n'} | ${'a^\b^?\r\n'}
    ${'ab\x12c\n'}        | ${'abc\n'}   | ${'ab^R\r\nabc\r\n'}
  `('typed $typed', ({ typed, line, echo }: Record<string, string>) => {
    const tty = terminal();
    tty.type(typed!);
    expect([tty.read(), tty.screen()]).toEqual([line, echo]);
  });

  it('with IUTF8 erases a whole character', () => {
    const tty = terminal((t) => (t.iflag |= IUTF8));
    tty.type(Buffer.from('aü\x7f\n').toString('latin1'));
    expect(tty.read()).toBe('a\n');
    const bytes = terminal();
    bytes.type(Buffer.from('aü\x7f\n').toString('latin1'));
    expect(bytes.read()).toBe('a\xc3\n');
  });

  it('without ECHOE shows the erase character, without ECHOKE a new line', () => {
    const tty = terminal((t) => (t.lflag &= ~ECHOE));
    tty.type('ab\x7f');
    expect(tty.screen()).toBe('ab^?');
    const kill = terminal((t) => (t.lflag &= ~ECHOKE));
    kill.type('ab\x15');
    expect(kill.screen()).toBe('ab^U\r\n');
    const quiet = terminal((t) => (t.lflag &= ~(ECHOKE | ECHOK)));
    quiet.type('ab\x15');
    expect(quiet.screen()).toBe('ab^U');
  });

  it('without ECHO shows nothing; with ECHONL the end of the line', () => {
    const tty = terminal((t) => (t.lflag &= ~ECHO));
    tty.type('secret\n');
    expect(tty.screen()).toBe('');
    tty.termios.lflag |= ECHONL;
    tty.type('x\n');
    expect(tty.screen()).toBe('\r\n');
  });

  it('without ECHOCTL echoes control characters as they are', () => {
    const tty = terminal((t) => (t.lflag &= ~ECHOCTL));
    tty.type('\x01');
    expect(tty.screen()).toBe('\x01');
  });

  it('keeps 4095 bytes of a line and the end of it, and rings with IMAXBEL', () => {
    const tty = terminal((t) => {
      t.lflag &= ~ECHO;
      t.iflag |= IMAXBEL;
    });
    tty.type('x'.repeat(4095));
    expect([tty.line.room, tty.screen()]).toEqual([1, '']);
    tty.type('y');
    expect(tty.screen()).toBe('\x07');
    tty.type('\n');
    expect([tty.line.room, tty.read(9000)]).toEqual([0, 'x'.repeat(4095) + '\n']);
  });
});

describe('raw input', () => {
  it('gives bytes as they come', () => {
    const tty = terminal(raw);
    expect(tty.read()).toBe(-EAGAIN);
    tty.type('\x03a\x7f\x04');
    expect([tty.read(2), tty.read()]).toEqual(['\x03a', '\x7f\x04']);
  });

  it('waits for VMIN bytes, or as many as are asked for', () => {
    const tty = terminal((t) => {
      raw(t);
      t.cc[VMIN] = 4;
    });
    tty.type('abc');
    expect([tty.line.isReadable, tty.read(), tty.read(3)]).toEqual([false, -EAGAIN, 'abc']);
    tty.type('defg');
    expect([tty.line.isReadable, tty.read()]).toEqual([true, 'defg']);
  });

  it('with VMIN 0 and VTIME 0 never waits', () => {
    const tty = terminal((t) => {
      raw(t);
      t.cc[VMIN] = 0;
    });
    expect(tty.read()).toBe('');
  });

  it('with VTIME gives what there is when the time is over', () => {
    const tty = terminal((t) => {
      raw(t);
      t.cc[VMIN] = 5;
      t.cc[VTIME] = 1;
    });
    tty.type('ab');
    expect([tty.line.isReadable, tty.read(), tty.read(9, true)]).toEqual([true, -EAGAIN, 'ab']);
    tty.termios.cc[VMIN] = 0;
    expect([tty.read(), tty.read(9, true)]).toEqual([-EAGAIN, '']);
  });

  it.each`
    flags            | typed       | got
    ${ICRNL}         | ${'\r\n'}   | ${'\n\n'}
    ${INLCR}         | ${'\r\n'}   | ${'\r\r'}
    ${IGNCR | ICRNL} | ${'a\r\n'}  | ${'a\n'}
    ${ISTRIP}        | ${'\xe1'}   | ${'a'}
    ${0}             | ${'\r\xe1'} | ${'\r\xe1'}
  `('c_iflag $flags: $typed', ({ flags, typed, got }: { flags: number; typed: string; got: string }) => {
    const tty = terminal((t) => {
      raw(t);
      t.iflag = flags;
    });
    tty.type(typed);
    expect(tty.read()).toBe(got);
  });

  it('switching to canonical mode makes a line of what is there', () => {
    const tty = terminal(raw);
    tty.type('abc');
    tty.termios.lflag |= ICANON;
    tty.line.canonicalChanged();
    expect(tty.read()).toBe('abc');
  });
});

describe('characters that act', () => {
  it.each`
    char      | signo
    ${'\x03'} | ${SIGINT}
    ${'\x1c'} | ${SIGQUIT}
    ${'\x1a'} | ${SIGTSTP}
  `('signal $signo drops what was typed', ({ char, signo }: { char: string; signo: number }) => {
    const tty = terminal();
    tty.type(`abc${char}\n`);
    expect([tty.events, tty.read()]).toEqual([['start', signo], '\n']);
  });

  it('with NOFLSH keep what was typed', () => {
    const tty = terminal((t) => (t.lflag |= NOFLSH));
    tty.type('abc\x03\n');
    expect([tty.read(), tty.screen()]).toEqual(['abc\n', 'abc^C\r\n']);
  });

  it('^S and ^Q stop and start output, with IXANY anything starts it', () => {
    const tty = terminal();
    tty.type('\x13\x11');
    expect(tty.events).toEqual(['stop', 'start']);
    tty.termios.iflag |= IXANY;
    tty.type('x');
    expect(tty.events).toEqual(['stop', 'start', 'start']);
    tty.termios.iflag &= ~IXON;
    tty.type('\x13\n');
    expect(tty.read()).toBe('x\x13\n');
  });
});

describe('output, termios(3) c_oflag', () => {
  it.each`
    flags                     | written      | screen
    ${OPOST | ONLCR}          | ${'a\nb'}    | ${'a\r\nb'}
    ${ONLCR}                  | ${'a\nb'}    | ${'a\nb'}
    ${OPOST | OCRNL}          | ${'a\rb'}    | ${'a\nb'}
    ${OPOST | ONOCR}          | ${'\ra\rb'}  | ${'a\rb'}
    ${OPOST | ONLRET | ONOCR} | ${'a\n\rb'}  | ${'a\nb'}
    ${OPOST | OLCUC}          | ${'aZ1'}     | ${'AZ1'}
    ${OPOST | XTABS}          | ${'ab\tc\t'} | ${'ab      c       '}
    ${OPOST}                  | ${'ab\tc'}   | ${'ab\tc'}
  `('$flags: $written', ({ flags, written, screen }: { flags: number; written: string; screen: string }) => {
    const tty = terminal((t) => (t.oflag = flags));
    expect(tty.write(written)).toBe(screen);
  });
});
