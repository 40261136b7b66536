import { O_CREAT, O_RDWR } from '@tsv/abi';
import { chmodPath } from '../attributes/attributes.js';
import type { Inode } from '../inode.js';
import { TestTree } from '../testing/test-tree.js';
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_MOVE_SELF,
  IN_OPEN,
  addWatch,
  removeWatch,
  type FileWatch,
} from './file-watch.js';

class Log implements FileWatch {
  readonly mask = 0xfff;
  readonly excludesUnlinked = false;
  readonly events: [mask: number, name: string][] = [];
  readonly cookies: number[] = [];
  isRemoved = false;
  event(mask: number, cookie: number, name: string): void {
    this.events.push([mask, name]);
    this.cookies.push(cookie);
  }
  removed(): void {
    this.isRemoved = true;
  }
}

function watch(inode: Inode): Log {
  const log = new Log();
  inode.incRef();
  addWatch(inode, log);
  return log;
}

describe('watches, inotify(7)', () => {
  it('tells a directory of its names', () => {
    const t = new TestTree();
    t.mkdir('/d');
    const log = watch(t.at('/d').inode);
    t.mkdir('/d/sub');
    t.open('/d/x', O_RDWR | O_CREAT).decRef();
    chmodPath(t.caller, t.at('/d/x'), 0o600);
    t.vfs.renameAt(t.caller, t.root, '/d/x', t.root, '/d/y');
    t.vfs.unlinkAt(t.caller, t.root, '/d/y');
    expect(log.events).toEqual([
      [IN_CREATE | IN_ISDIR, 'sub'],
      [IN_CREATE, 'x'],
      [IN_OPEN, 'x'],
      [IN_ATTRIB, 'x'],
      [IN_MOVED_FROM, 'x'],
      [IN_MOVED_TO, 'y'],
      [IN_DELETE, 'y'],
    ]);
    expect(log.cookies[4]).toBe(log.cookies[5]);
    expect(log.cookies[4]).toBeGreaterThan(0);
  });

  it('tells a file of its end when nobody uses it any more', () => {
    const t = new TestTree();
    t.write('/x', 'x');
    const path = t.at('/x');
    const log = watch(path.inode);
    path.decRef();
    const file = t.open('/x');
    t.vfs.renameAt(t.caller, t.root, '/x', t.root, '/y');
    t.vfs.unlinkAt(t.caller, t.root, '/y');
    expect(log.isRemoved).toBe(false);
    file.decRef();
    expect([log.isRemoved, log.events.map(([mask]) => mask)]).toEqual([
      true,
      [IN_OPEN, IN_MOVE_SELF, IN_ATTRIB, IN_DELETE_SELF],
    ]);
  });

  it('is quiet after removal, and tells of truncation', () => {
    const t = new TestTree();
    t.write('/x', 'x');
    const { inode } = t.at('/x');
    const log = watch(inode);
    t.write('/x', '');
    expect(log.events).toEqual([
      [IN_MODIFY, ''],
      [IN_OPEN, ''],
    ]);
    removeWatch(inode, log);
    t.write('/x', '');
    expect(log.events.length).toBe(2);
  });
});
