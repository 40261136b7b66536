import { EACCES, EEXIST, EIDRM, EINVAL, ENOENT, ENOSPC, IPC_CREAT, IPC_EXCL, IPC_PRIVATE } from '@tsv/abi';
import type { Task } from '../task/task.js';
import { IpcIds } from './ipc-ids.js';
import type { IpcObject } from './ipc-object.js';

const task = {} as unknown as Task;
const object = (key: number, access = 0): IpcObject =>
  ({ key, id: -1, isRemoved: false, checkAccess: () => access }) as unknown as IpcObject;
const get = (ids: IpcIds<IpcObject>, key: number, flags = IPC_CREAT, access = 0) =>
  ids.get(
    task,
    key,
    flags,
    () => object(key, access),
    () => 0,
  );

describe('IpcIds, sysvipc(7)', () => {
  it('finds an object by its key, and none by IPC_PRIVATE', () => {
    const ids = new IpcIds<IpcObject>(4);
    const made = get(ids, 7);
    expect([get(ids, 7, 0) === made, get(ids, IPC_PRIVATE) === get(ids, IPC_PRIVATE)]).toEqual([true, false]);
  });

  it.each([
    ['a key that is not there', 8, 0, -ENOENT],
    ['one that must be new', 7, IPC_CREAT | IPC_EXCL, -EEXIST],
    ['one that is forbidden', 9, 0, -EACCES],
  ])('refuses %s', (_, key, flags, errno) => {
    const ids = new IpcIds<IpcObject>(4);
    get(ids, 7);
    get(ids, 9, IPC_CREAT, -EACCES);
    expect(get(ids, key, flags)).toBe(errno);
  });

  it('holds as many as it may, and one more when one goes', () => {
    const ids = new IpcIds<IpcObject>(2);
    const first = get(ids, 1) as IpcObject;
    get(ids, 2);
    expect(get(ids, 3)).toBe(-ENOSPC);
    ids.remove(first);
    expect([typeof get(ids, 3), ids.count, ids.indexMax]).toEqual(['object', 2, 1]);
  });

  it('tells an identifier that was removed from one that never was', () => {
    const ids = new IpcIds<IpcObject>(1);
    const first = get(ids, 1) as IpcObject;
    const { id } = first;
    ids.remove(first);
    expect(ids.lookup(id)).toBe(-EINVAL);
    const second = get(ids, 1) as IpcObject;
    expect([ids.lookup(id), ids.lookup(second.id) === second, ids.lookup(-1)]).toEqual([-EIDRM, true, -EINVAL]);
  });
});
