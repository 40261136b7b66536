// Makes packages/cli/dist/bundle/*.cache: what V8 compiled when the command line ran some commands and a program, so that
// it need not be compiled again at each start.
import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const require = createRequire(import.meta.url);
const { cachePath, loadScript } = require('../../packages/cli/bin/bundle.js');

// Sentries are started with this program.
process.argv[1] = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const { script, exports } = loadScript('tsv');
const { main } = exports;
await useCommands();
const sentry = loadScript('sentry').script;
// The sandbox confines this process for good: what it needs afterwards is opened before.
const fds = ['tsv', 'sentry'].map((name) => openSync(cachePath(name), 'w'));
const status = await main(['do', '--', '/bin/sh', '-c', 'ls / >/dev/null; exit 0']);
// Where nothing can be run, the cache has less in it.
if (status !== 0) console.error(`Cannot run a program here (status ${status}): the start-up will be slower`);
// V8 takes a cache only under the flags that it was made under: the one that a sandbox sets is what it was, and is by default.
setFlagsFromString('--semi-space-growth-factor=2');
writeSync(fds[0], script.createCachedData());
writeSync(fds[1], sentry.createCachedData());

/** The commands that engines call, on a container of its own. */
async function useCommands() {
  const dir = mkdtempSync(join(tmpdir(), 'tsv-cache-'));
  const id = `cache-${process.pid}`;
  const config = {
    ociVersion: '1.0.2',
    root: { path: '/', readonly: true },
    process: { cwd: '/', args: ['/bin/sleep', '60'], env: ['PATH=/bin:/usr/bin'] },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  const tsv = (...args) => main(['--root', join(dir, 'root'), ...args]);
  try {
    if ((await tsv('run', '--detach', '--bundle', dir, id)) !== 0) return;
    await tsv('exec', id, '/bin/true');
    await tsv('kill', id, 'KILL');
  } finally {
    await tsv('delete', '--force', id);
    rmSync(dir, { recursive: true, force: true });
  }
}
