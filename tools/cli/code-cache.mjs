// Makes packages/cli/dist/bundle/tsv.cache: what V8 compiled when the command line ran a program, so that it need not be
// compiled again at each start.
import { openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { CACHE_PATH, loadBundle } = require('../../packages/cli/bin/bundle.js');

const { script, main } = loadBundle();
// The sandbox confines this process for good: what it needs afterwards is opened before.
const fd = openSync(CACHE_PATH, 'w');
const status = await main(['do', '--', '/bin/sh', '-c', 'ls / >/dev/null; exit 0']);
// Where nothing can be run, the cache has less in it.
if (status !== 0) console.error(`Cannot run a program here (status ${status}): the start-up will be slower`);
writeSync(fd, script.createCachedData());
