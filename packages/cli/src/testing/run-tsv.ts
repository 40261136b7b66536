import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The built command line. */
export const TSV = join(__dirname, '../../bin/tsv.js');

/** What a run of `tsv` came to. */
export interface TsvResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tsv` with `args`; `stdin` is what it reads. Killed after `timeoutMs`. */
export function runTsv(args: readonly string[], stdin = '', timeoutMs = 30_000): Promise<TsvResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [TSV, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => {
      // The program may end without reading; what it prints is checked.
    });
    child.stdin.end(stdin);
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout, stderr });
    });
  });
}
