import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const APPLETS =
  'sh sleep echo cat ps id true false kill env stty tty ls pwd test hostname mkdir touch wc head httpd grep'.split(' ');

/** What a test wants to be different from the bundle that it gets. */
export interface BundleChange {
  readonly process?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Makes a bundle in `dir` with busybox as its root filesystem, that runs `args`. Returns its path. */
export function busyboxBundle(dir: string, args: readonly string[], change: BundleChange = {}): string {
  const bin = join(dir, 'rootfs/bin');
  mkdirSync(bin, { recursive: true });
  for (const name of ['etc', 'tmp', 'proc', 'dev']) mkdirSync(join(dir, 'rootfs', name), { recursive: true });
  copyFileSync('/bin/busybox', join(bin, 'busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(bin, applet));
  writeFileSync(join(dir, 'rootfs/etc/passwd'), 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n');
  const config = {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }] },
    ...change,
    process: { cwd: '/', args, env: ['PATH=/bin'], ...change.process },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  return dir;
}
