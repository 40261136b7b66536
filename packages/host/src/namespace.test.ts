import { EINVAL, ENOENT } from '@tsv/abi';
import { execFileSync } from 'node:child_process';
import { chroot, fchdir, mount, pivotRoot, setns, sethostname, umount2, unshare } from './namespace.js';

const CLONE_FILES = 0x400;
const CLONE_NEWUSER = 0x1000_0000;
// Skipped without root: unshare(2) of these namespaces needs CAP_SYS_ADMIN.
const itAsRoot = process.getuid?.() === 0 ? it : it.skip;

/** Runs `code` in a process of its own, with `native` and `fs`, and returns what it evaluates to. */
function inChild(code: string): unknown {
  const path = JSON.stringify(require.resolve('../native/index.js'));
  const script = `const native = require(${path}), fs = require('fs');
    console.log(JSON.stringify((() => {${code}})()))`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

describe('namespaces', () => {
  it.each([CLONE_FILES, CLONE_NEWUSER])('with flags %d cannot be left by a program with threads', (flags) => {
    expect(unshare(flags)).toBe(-EINVAL);
  });

  itAsRoot('of hostnames and mounts are left and entered', () => {
    const code = `
      const CLONE_NEWNS = 0x20000, CLONE_NEWUTS = 0x4000000, MS_REC_PRIVATE = 0x44000, MNT_DETACH = 2;
      const outside = fs.openSync('/proc/thread-self/ns/uts', 'r');
      const before = fs.readFileSync('/proc/sys/kernel/hostname', 'latin1');
      const results = [native.unshare(CLONE_NEWNS | CLONE_NEWUTS), native.sethostname('inside')];
      results.push(fs.readFileSync('/proc/sys/kernel/hostname', 'latin1').trim());
      results.push(native.setns(outside, CLONE_NEWUTS));
      results.push(fs.readFileSync('/proc/sys/kernel/hostname', 'latin1') === before);
      results.push(native.mount(null, '/', null, MS_REC_PRIVATE, null));
      results.push(native.mount('tmpfs', '/mnt', 'tmpfs', 0, 'size=64k'));
      fs.mkdirSync('/mnt/old');
      fs.writeFileSync('/mnt/marker', 'new root');
      results.push(native.pivotRoot('/mnt', '/mnt/old'), fs.readFileSync('/marker', 'latin1'));
      results.push(native.umount2('/old', MNT_DETACH), fs.readdirSync('/old').length);
      fs.mkdirSync('/jail');
      const root = fs.openSync('/', 'r');
      results.push(native.chroot('/jail'), fs.existsSync('/marker'), native.fchdir(root), fs.existsSync('marker'));
      return results;`;
    expect(inChild(code)).toEqual([0, 0, 'inside', 0, true, 0, 0, 0, 'new root', 0, 0, 0, false, 0, true]);
  });

  it('are refused with an errno', () => {
    expect([setns(-1, 0) < 0, mount(null, '/absent', null, 0, null) < 0, sethostname('x'.repeat(300)) < 0]).toEqual([
      true,
      true,
      true,
    ]);
    expect([umount2('/absent', 0) < 0, pivotRoot('/absent', '/absent') < 0, fchdir(-1) < 0]).toEqual([
      true,
      true,
      true,
    ]);
    expect(chroot('/absent')).toBe(-ENOENT);
    expect(chroot('a\0b')).toBe(-EINVAL);
  });
});
