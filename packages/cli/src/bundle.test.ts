import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const BUNDLE = join(__dirname, '../bin/bundle.js');

describe('the bundle of the command line', () => {
  it.each(['tsv', 'sentry'])('starts %s from the code cache that was built with it', (name) => {
    const print = `console.log(require(${JSON.stringify(BUNDLE)}).loadScript('${name}').script.cachedDataRejected)`;
    expect(execFileSync(process.execPath, ['-e', print], { encoding: 'utf8' })).toBe('false\n');
  });
});
