// Makes the files that benchmarks work on. Contents are the same in every run.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MIB = 1 << 20;
const TREE_DIRECTORIES = 200;
const TREE_FILES = 100;
const PROJECT_FILES = 24;
const MODULES = 5000;
const MODULES_PER_PACKAGE = 50;

const makers = {
  /** 1 GiB. */
  data: (path) => writeMany(path, 1024, pseudoRandom(MIB)),
  /** 200 MB of words. */
  text: (path) => writeMany(path, 200, words(1_000_000)),
  /** A directory of 10,000 files. */
  entries(path) {
    mkdirSync(path);
    for (let i = 0; i < 10_000; i++) writeFileSync(join(path, `entry-${i}`), '');
  },
  /** A git repository of 20,000 files. */
  tree(path) {
    for (let d = 0; d < TREE_DIRECTORIES; d++) {
      mkdirSync(join(path, `directory-${d}`), { recursive: true });
      for (let f = 0; f < TREE_FILES; f++) writeFileSync(join(path, `directory-${d}`, `file-${f}.txt`), `${d} ${f}\n`);
    }
    const git = (...args) => execFileSync('git', ['-C', path, ...args], { stdio: 'ignore' });
    git('init', '-q');
    git('add', '.');
    git('-c', 'user.name=bench', '-c', 'user.email=bench@localhost', 'commit', '-q', '-m', 'files');
  },
  /** 100 packages of 50 small files each. */
  modules(path) {
    for (let p = 0; p < MODULES / MODULES_PER_PACKAGE; p++) {
      mkdirSync(join(path, `package-${p}`, 'lib'), { recursive: true });
      for (let f = 0; f < MODULES_PER_PACKAGE; f++) {
        const directory = f % 2 === 0 ? '.' : 'lib';
        writeFileSync(join(path, `package-${p}`, directory, `module-${f}.js`), `// ${p} ${f}\n`.repeat(100 + 7 * f));
      }
    }
  },
  /** The same as an archive. */
  'modules.tar'(path) {
    execFileSync('tar', ['-cf', path, '-C', path.slice(0, -'.tar'.length), '.']);
  },
  'inserts.sql'(path) {
    const rows = Array.from({ length: 100_000 }, (_, i) => `INSERT INTO t VALUES (${i}, 'row number ${i}');`);
    const text = ['CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);', 'BEGIN;', ...rows, 'COMMIT;'].join('\n');
    writeFileSync(path, `${text}\n`);
  },
  /** A Go program whose goroutines hand a number back and forth on two threads. */
  channels(path) {
    const source = fileURLToPath(new URL('programs/channels.go', import.meta.url));
    execFileSync('go', ['build', '-o', path, source], { env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '' } });
  },
  /** A C project of small files and a Makefile. */
  project(path) {
    mkdirSync(path);
    const names = Array.from({ length: PROJECT_FILES }, (_, i) => `part${i}`);
    for (const name of names) {
      writeFileSync(
        join(path, `${name}.c`),
        `#include <stdio.h>\n#include <string.h>\nsize_t ${name}(const char *s) {\n    return strlen(s) + (size_t)printf("%s", s);\n}\n`,
      );
    }
    writeFileSync(join(path, 'main.c'), 'int main(void) {\n    return 0;\n}\n');
    const objects = [...names, 'main'].map((name) => `${name}.o`).join(' ');
    writeFileSync(join(path, 'Makefile'), `program: ${objects}\n\t$(CC) -o $@ ${objects}\n`);
  },
};

/** Makes those called `names` in `directory`. */
export function makeFixtures(directory, names) {
  for (const name of new Set(names)) makers[name](join(directory, name));
}

function writeMany(path, count, bytes) {
  const fd = openSync(path, 'w');
  for (let i = 0; i < count; i++) writeSync(fd, bytes);
  closeSync(fd);
}

function pseudoRandom(length) {
  const values = new Uint32Array(length / 4);
  for (let i = 0, x = 1; i < values.length; i++) values[i] = x = next(x);
  return Buffer.from(values.buffer);
}

function words(length) {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = 1; i < length; i++) {
    x = next(x);
    bytes[i] = x % 7 === 0 ? 0x20 : 0x61 + ((x >>> 8) % 16);
  }
  return bytes;
}

/** One step of xorshift. */
function next(x) {
  let y = x ^ (x << 13);
  y ^= y >>> 17;
  return (y ^ (y << 5)) >>> 0;
}
