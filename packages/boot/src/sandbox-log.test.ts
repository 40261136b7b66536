import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logFile } from './sandbox-log.js';

const NOW = new Date('2026-03-04T05:06:07.089Z');

describe('logFile', () => {
  it.each`
    path                                  | file
    ${'/logs/'}                           | ${'/logs/tsv.log.a.txt'}
    ${'/logs/one.txt'}                    | ${'/logs/one.txt'}
    ${'/logs/%ID%/%COMMAND%-%TIMESTAMP%'} | ${'/logs/a/boot-20260304-050607.089'}
    ${'/logs/%ID%%ID%-%OTHER%'}           | ${'/logs/aa-%OTHER%'}
  `('$path: $file', ({ path, file }: { path: string; file: string }) => {
    expect(logFile(path, 'a', NOW)).toBe(file);
  });

  it('makes files of names of its own in a directory that is there', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tsv-log-'));
    expect(logFile(dir, 'a', NOW)).toBe(join(dir, 'tsv.log.a.txt'));
    rmSync(dir, { recursive: true });
  });
});
