import { EBADF, EINVAL, EPERM } from '@tsv/abi';
import { execFileSync } from 'node:child_process';
import { createLandlockRuleset, getThreadCapabilities, installSeccompFilter, restrictThread } from './sandboxing.js';

/** Runs `code` in a process of its own, with `native` and `fs`, and returns what it resolves to. */
function inChild(code: string): unknown {
  const path = JSON.stringify(require.resolve('../native/index.js'));
  const script = `const native = require(${path}), fs = require('fs');
    (async () => {${code}})().then((value) => console.log(JSON.stringify(value)))`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

describe('installSeccompFilter', () => {
  const filter = JSON.stringify({
    mismatch_action: 'allow',
    match_action: { errno: 1 },
    filter: [{ syscall: 'mkdir' }, { syscall: 'mkdirat' }],
  });

  it('holds for every thread', () => {
    const code = `
      await fs.promises.access('/'); // The pool's threads run.
      const installed = native.installSeccompFilter(${JSON.stringify(filter)});
      const codeOf = (error) => error.code;
      let here = '';
      try { fs.mkdirSync('/tmp/never'); } catch (error) { here = error.code; }
      return [installed, here, await fs.promises.mkdir('/tmp/never').catch(codeOf), native.getNoNewPrivs()];`;
    expect(inChild(code)).toEqual([0, 'EPERM', 'EPERM', 1]);
  });

  it.each(['', '{}', '{"mismatch_action":"allow","match_action":"trap","filter":[{"syscall":"none_such"}]}'])(
    'throws for %s',
    (json) => {
      expect(() => installSeccompFilter(json)).toThrow('Cannot install the seccomp filter');
    },
  );
});

describe('setThreadCapabilities', () => {
  // Skipped without capabilities: there is nothing to give up.
  const itAsRoot = getThreadCapabilities() > 0 ? it : it.skip;

  itAsRoot('gives capabilities up', () => {
    const code = `
      const before = native.getThreadCapabilities();
      const results = [native.setThreadCapabilities(2 ** 18), native.getThreadCapabilities() === 2 ** 18];
      return [...results, native.setThreadCapabilities(before), native.chroot('/'), native.setThreadCapabilities(0),
        native.chroot('/')];`;
    expect(inChild(code)).toEqual([0, true, -EPERM, 0, 0, -EPERM]);
  });
});

describe('Landlock', () => {
  it('restricts the calling thread', () => {
    const code = `
      const ruleset = native.createLandlockRuleset(['/usr', '/tmp'], ['/dev'], 0);
      if (ruleset === -38) return ['refused', 'read'];
      const status = native.restrictThread(ruleset);
      const read = (path) => { try { fs.readdirSync(path); return 'read'; } catch { return 'refused'; } };
      return status === 0 ? [read('/etc'), read('/usr')] : status;`;
    expect(inChild(code)).toEqual(['refused', 'read']);
  });

  it('refuses what is wrong', () => {
    expect(() => createLandlockRuleset(['/absent'], [], 0)).toThrow('Cannot make the Landlock ruleset');
    expect(createLandlockRuleset([], [], 2)).toBe(-EINVAL);
    expect(restrictThread(-1)).toBe(-EBADF);
  });
});
