// Pages that name our code and tests: what they name is there.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const REPOSITORY = join(__dirname, '../../..');
const PACKAGES = join(REPOSITORY, 'packages');

/** Tables of a page: the cells of each row. */
function rowsOf(page: string): string[][] {
  const lines = readFileSync(join(REPOSITORY, 'docs', page), 'utf8').split('\n');
  const rows = lines.filter((line) => line.startsWith('|') && !/^\|\s*-/.test(line));
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Text of all TypeScript files of the packages, tests apart. */
function sources(): string {
  const texts: string[] = [];
  for (const name of readdirSync(PACKAGES)) {
    const src = join(PACKAGES, name, 'src');
    if (!existsSync(src)) continue;
    for (const file of readdirSync(src, { recursive: true }) as string[]) {
      if (file.endsWith('.ts') && !file.endsWith('.test.ts')) texts.push(readFileSync(join(src, file), 'utf8'));
    }
  }
  return texts.join('\n');
}

/** Tests that a cell names: a path beneath `packages/`, and the title that follows it in quotes. */
function testsIn(cell: string): { path: string; title: string | undefined }[] {
  return [...cell.matchAll(/`([\w/-]+\.test\.ts)`(?: "([^|]*?)"(?=,|$))?/g)].map(([, path, title]) => {
    return { path: path!, title };
  });
}

const loader = rowsOf('loader.md').slice(1);

describe('docs/loader.md', () => {
  it.each(loader)('%s: its test is there', (_, __, test) => {
    const tests = testsIn(test);
    expect(tests.length > 0 || test === '-').toBe(true);
    for (const { path, title } of tests) {
      const file = join(PACKAGES, path);
      expect([path, existsSync(file)]).toEqual([path, true]);
      if (title !== undefined) expect(readFileSync(file, 'utf8')).toContain(title);
    }
  });

  it('names what there is', () => {
    const text = sources();
    const names = loader.flatMap(([, here]) => [...here!.matchAll(/`([A-Za-z][\w]*)`/g)].map(([, name]) => name!));
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });
});

describe('docs/oci.md', () => {
  it.each(rowsOf('oci.md').filter((row) => row.at(-1)!.includes('.test.ts')))('%s: its test is there', (...row) => {
    for (const { path, title } of testsIn(row.at(-1)!)) {
      const file = join(PACKAGES, path);
      expect([path, existsSync(file)]).toEqual([path, true]);
      if (title !== undefined) expect(readFileSync(file, 'utf8')).toContain(title);
    }
  });
});
