import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Runs `argv` on a pty of its own, shows what comes out, and does what lines of JSON on its input say. */
const PYTHON = `
import fcntl, json, os, pty, select, struct, sys, termios
pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
lines = b''
ends = [0, master]
while master in ends:
    for fd in select.select(ends, [], [])[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:  # EIO: nobody has the other end open any more.
            data = b''
        if not data:
            ends.remove(fd)
        elif fd == master:
            os.write(1, data)
        else:
            lines += data
            *whole, lines = lines.split(b'\\n')
            for what, *args in map(json.loads, whole):
                if what == 'type':
                    os.write(master, args[0].encode())
                elif what == 'resize':
                    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', *args, 0, 0))
                else:
                    os.close(master)
                    ends.remove(master)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)`;

const LIMIT_MS = 60_000;
const LOOK_MS = 20;

/** A command on a pty of the host, at which somebody sits. The pty ends when it takes too long. */
export class PtySession {
  /** Resolves with the command's exit status, or 256 less the signal that has ended it. */
  readonly status: Promise<number | null>;
  readonly #input: Writable;
  #output = '';
  /** How much of the output was waited for. */
  #seenLength = 0;

  constructor(argv: readonly string[]) {
    const child = spawn('python3', ['-c', PYTHON, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#input = child.stdin;
    child.stdin.on('error', () => {
      // The command has ended: what is shown then is checked.
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    this.status = new Promise((resolve) => {
      child.once('close', (status) => {
        clearTimeout(timer);
        resolve(status);
      });
    });
  }

  /** What was shown so far, without carriage returns. */
  get output(): string {
    return this.#output.replaceAll('\r', '');
  }

  type(text: string): void {
    this.#tell('type', text);
  }

  /** Changes the size of the window. */
  resize(rows: number, columns: number): void {
    this.#tell('resize', rows, columns);
  }

  /** The terminal goes away, as when its window is closed. */
  hangUp(): void {
    this.#tell('hang up');
  }

  /** Waits until `text` is shown, behind what was waited for before. */
  async until(text: string): Promise<void> {
    const endMs = performance.now() + LIMIT_MS;
    for (;;) {
      const at = this.#output.indexOf(text, this.#seenLength);
      if (at >= 0) {
        this.#seenLength = at + text.length;
        return;
      }
      if (performance.now() > endMs) throw new Error(`"${text}" is not shown: ${this.output}`);
      await sleep(LOOK_MS);
    }
  }

  #tell(...words: readonly (string | number)[]): void {
    this.#input.write(`${JSON.stringify(words)}\n`);
  }
}
