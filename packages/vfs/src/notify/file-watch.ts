import type { OpenFile } from '../file/open-file.js';
import type { Inode } from '../inode.js';
import type { Dentry } from '../dentry/dentry.js';

/** Events, inotify(7). */
export const IN_ACCESS = 0x0001;
export const IN_MODIFY = 0x0002;
export const IN_ATTRIB = 0x0004;
export const IN_CLOSE_WRITE = 0x0008;
export const IN_CLOSE_NOWRITE = 0x0010;
export const IN_OPEN = 0x0020;
export const IN_MOVED_FROM = 0x0040;
export const IN_MOVED_TO = 0x0080;
export const IN_CREATE = 0x0100;
export const IN_DELETE = 0x0200;
export const IN_DELETE_SELF = 0x0400;
export const IN_MOVE_SELF = 0x0800;
export const IN_UNMOUNT = 0x2000;
export const IN_ISDIR = 0x4000_0000;

/** Who watches an inode. Kept in {@link Inode.watches}. */
export interface FileWatch {
  /** The events it wants. */
  readonly mask: number;
  /** Whether events of files that lost their name are not wanted, IN_EXCL_UNLINK. */
  readonly excludesUnlinked: boolean;
  /** An event of `mask` happened to the inode itself (`name` is empty) or to its child `name`. */
  event(mask: number, cookie: number, name: string): void;
  /** The inode is gone: the watch ends. */
  removed(): void;
}

/**
 * Adds a watch to `inode`. The watcher holds a reference of the inode meanwhile, not of a path: IN_DELETE_SELF comes when
 * nobody uses the last name any more.
 */
export function addWatch(inode: Inode, watch: FileWatch): void {
  if (inode.watches === null) inode.watches = [watch];
  else inode.watches = [...inode.watches, watch];
}

/** Removes a watch, if it is there. */
export function removeWatch(inode: Inode, watch: FileWatch): void {
  if (inode.watches === null) return;
  const rest = inode.watches.filter((each) => each !== watch);
  inode.watches = rest.length === 0 ? null : rest;
}

/** Tells the watches of `inode` of an event to itself. */
export function notifyInode(inode: Inode, mask: number): void {
  if (inode.watches !== null) tell(inode, inode.isDirectory ? mask | IN_ISDIR : mask, 0, '', false);
}

/** Tells the watches of directory `dir` of an event to its child. */
export function notifyChild(dir: Inode, name: string, isDirectory: boolean, mask: number, cookie = 0): void {
  if (dir.watches !== null) tell(dir, isDirectory ? mask | IN_ISDIR : mask, cookie, name, false);
}

/** Tells the watches of a name's inode and of its directory. */
export function notifyDentry(dentry: Dentry, mask: number): void {
  const inode = dentry.inode;
  if (inode === null) return;
  const told = inode.isDirectory ? mask | IN_ISDIR : mask;
  const dir = dentry.parent?.inode ?? null;
  if (dir !== null && dir.watches !== null) tell(dir, told, 0, dentry.name, dentry.isUnlinked);
  if (inode.watches !== null) tell(inode, told, 0, '', dentry.isUnlinked);
}

/** Tells of an event to an open file: IN_ACCESS after a read, IN_MODIFY after a write, IN_OPEN, IN_CLOSE_*. */
export function notifyFile(file: OpenFile, mask: number): void {
  if (file.path !== null) notifyDentry(file.path.dentry, mask);
  else if (file.inode.watches !== null) notifyInode(file.inode, mask);
}

/** The inode's last name and reference are gone: its watches end. */
export function notifyGone(inode: Inode): void {
  const watches = inode.watches;
  if (watches === null) return;
  inode.watches = null;
  for (const watch of watches) {
    if ((watch.mask & IN_DELETE_SELF) !== 0) watch.event(IN_DELETE_SELF, 0, '');
    watch.removed();
  }
}

function tell(inode: Inode, mask: number, cookie: number, name: string, isUnlinked: boolean): void {
  for (const watch of inode.watches!) {
    if ((watch.mask & mask & ~IN_ISDIR) === 0 || (isUnlinked && watch.excludesUnlinked)) continue;
    watch.event(mask, cookie, name);
  }
}
