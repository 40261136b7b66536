// The kernel in one file, as the command line is shipped, over a platform without guests: what its handlers cost.
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ENTRY = `
export * as abi from '@tsv/abi';
export * as platform from '@tsv/platform';
export * as vfs from '@tsv/vfs';
export { DATA_ADDR, TestKernel } from './testing/test-kernel.js';
`;

/** `abi`, `platform` and `vfs`, the modules; `TestKernel` and `DATA_ADDR`. */
export async function bundledKernel() {
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-bench-'));
  try {
    const outfile = join(scratch, 'kernel.mjs');
    await build({
      stdin: { contents: ENTRY, resolveDir: fileURLToPath(new URL('../../packages/kernel/src', import.meta.url)) },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      conditions: ['@tsv/source'],
      logLevel: 'warning',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/**
 * A function that makes `calls`, each a number and its arguments, as `task`, from the guest's stop to its resume. In place
 * of an argument, `lastResult` stands for what the call before has returned.
 */
export function roundOf({ platform, lastResult }, kernel, task, calls) {
  const { REG_ORIG_RAX, REG_RAX } = platform;
  const registers = [platform.REG_RDI, platform.REG_RSI, platform.REG_RDX, platform.REG_R10];
  for (const [nr, ...args] of calls) {
    const result = kernel.call(task, nr, ...args.map((arg) => (arg === lastResult ? kernel.result(task) : arg)));
    if (result < 0) throw new Error(`Cannot measure: system call ${nr} fails: ${result}`);
  }
  const context = kernel.contextOf(task);
  const { page } = task;
  const { dispatcher } = kernel.kernel;
  const padded = calls.map(([nr, ...args]) => [nr, ...args, 0, 0, 0, 0].slice(0, 5));
  return () => {
    for (const call of padded) {
      for (let i = 0; i < 4; i++) {
        if (call[i + 1] === lastResult) page.set(registers[i], page.high(REG_RAX) * 2 ** 32 + page.low(REG_RAX));
        else page.set(registers[i], call[i + 1]);
      }
      page.set(REG_ORIG_RAX, call[0]);
      context.isRunning = false;
      dispatcher.serve(task);
    }
  };
}
