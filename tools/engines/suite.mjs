// The few words that the tests of container engines are written in.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';

/**
 * Runs a command; resolves with its status and what it printed. It is killed after `timeoutMs`. Its input ends behind
 * `input`, or with `endsInput` false when the command does.
 */
export function exec(argv, { input = '', endsInput = true, timeoutMs = 120_000, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], env });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {
      // The command may end without reading.
    });
    child.stdin.write(input);
    if (endsInput) child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.on('error', reject);
    child.on('exit', () => {
      child.stdin.destroy();
      // What it left behind may hold its output open.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 2000).unref();
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status: status ?? signal, stdout, stderr });
    });
  });
}

/** Runs a command that must succeed; resolves with what it printed. */
export async function ok(argv, options) {
  const { status, stdout, stderr } = await exec(argv, options);
  assert.equal(status, 0, `${argv.slice(-6).join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/** A list of tests; `run` prints a line each and returns how many passed and failed. */
export class Suite {
  #name;
  #tests = [];

  constructor(name) {
    this.#name = name;
  }

  test(what, body) {
    this.#tests.push({ what, body });
  }

  async run() {
    let [passed, failed] = [0, 0];
    for (const { what, body } of this.#tests) {
      try {
        await body();
        passed++;
        console.log(`ok   ${this.#name} ${what}`);
      } catch (error) {
        failed++;
        console.log(`FAIL ${this.#name} ${what}: ${error.message}`);
      }
    }
    return { passed, failed };
  }
}
