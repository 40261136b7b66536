import { spawn } from 'node:child_process';
import { join } from 'node:path';

jest.setTimeout(60_000);

const ENTRY = join(__dirname, '../dist/index.js');

/** Runs a module that has a watchdog in `dog`; what it says and how it ended. */
async function outcome(action: string, script: string): Promise<[stderr: string, end: unknown]> {
  const source = `
    import { Watchdog } from ${JSON.stringify(ENTRY)};
    const dog = new Watchdog({ limitMsMin: 10, action: '${action}', logFd: 2, message: 'stuck\\n' });
    const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    ${script}
    dog.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'ignore', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = await new Promise((resolve) => {
    child.once('close', (status, signal) => {
      resolve(status ?? signal);
    });
  });
  clearTimeout(timer);
  return [stderr, end];
}

describe('Watchdog', () => {
  it('logs once that this thread does not come back, and leaves it alone', async () => {
    expect(await outcome('log', 'dog.begin(10); wait(2000);')).toEqual(['stuck\n', 0]);
  });

  it('ends the process when it is to panic', async () => {
    expect(await outcome('panic', 'dog.begin(10); wait(20_000);')).toEqual(['stuck\n', 'SIGABRT']);
  });

  it('says nothing while the thread waits, or works within its limit', async () => {
    expect(await outcome('panic', 'wait(200); dog.begin(60_000); wait(200); dog.rest(); wait(200);')).toEqual(['', 0]);
  });
});
