import {
  EEXIST,
  EINVAL,
  ELOOP,
  ENOENT,
  EPERM,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDHUP,
} from '@tsv/abi';
import { EpollFile } from './epoll-file.js';
import { EventFile } from './event-file.js';
import { createPipe } from './pipe-file.js';
import { FakeCaller, PlainFile, files, readText, writeText } from './testing/fake-caller.js';

function epoll(): EpollFile {
  return new EpollFile(files.createInode('[eventpoll]'));
}

/** The events of one epoll_wait(2) as [data, events]. */
function collect(file: EpollFile, countMax = 10): [number, number][] {
  const events: [number, number][] = [];
  file.collect({ add: (mask, low) => (events.push([low, mask]), 0) }, countMax);
  return events;
}

function event(initial = 0): EventFile {
  return new EventFile(files.createInode('[eventfd]'), initial, false, 0);
}

describe('EpollFile, epoll(7)', () => {
  it('reports a level until it is gone', () => {
    const ep = epoll();
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    ep.add(reader, 3, EPOLLIN, 77, 0);
    expect(collect(ep)).toEqual([]);
    writeText(writer, 'x');
    expect([collect(ep), collect(ep)]).toEqual([[[77, EPOLLIN]], [[77, EPOLLIN]]]);
    readText(reader, 1);
    expect(collect(ep)).toEqual([]);
  });

  it('reports what was ready before it was added', () => {
    const ep = epoll();
    ep.add(event(1), 3, EPOLLIN, 1, 0);
    expect(collect(ep)).toEqual([[1, EPOLLIN]]);
  });

  it('with EPOLLET reports once for each write', () => {
    const ep = epoll();
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    ep.add(reader, 3, EPOLLIN | EPOLLET, 1, 0);
    writeText(writer, 'x');
    expect([collect(ep), collect(ep)]).toEqual([[[1, EPOLLIN]], []]);
    writeText(writer, 'y');
    expect(collect(ep)).toEqual([[1, EPOLLIN]]);
  });

  it('with EPOLLONESHOT reports once until it is modified', () => {
    const ep = epoll();
    const file = event(1);
    ep.add(file, 3, EPOLLIN | EPOLLONESHOT, 1, 0);
    expect([collect(ep), collect(ep)]).toEqual([[[1, EPOLLIN]], []]);
    file.add(1, 0);
    expect(collect(ep)).toEqual([]);
    expect(ep.modify(file, 3, EPOLLIN | EPOLLONESHOT, 2, 0)).toBe(0);
    expect(collect(ep)).toEqual([[2, EPOLLIN]]);
  });

  it('reports EPOLLHUP unasked', () => {
    const ep = epoll();
    const [reader, writer] = createPipe(files, 0, new FakeCaller());
    ep.add(reader, 3, 0, 1, 0);
    writer.decRef();
    expect(collect(ep)).toEqual([]);
    ep.modify(reader, 3, EPOLLRDHUP, 1, 0);
    expect(collect(ep)).toEqual([[1, EPOLLHUP]]);
  });

  it('takes turns when there is not room for all', () => {
    const ep = epoll();
    for (let fd = 0; fd < 3; fd++) ep.add(event(1), fd, EPOLLIN, fd, 0);
    expect([collect(ep, 2), collect(ep, 2), collect(ep, 2)].map((each) => each.map(([fd]) => fd))).toEqual([
      [0, 1],
      [2, 0],
      [1, 2],
    ]);
  });

  it('keeps the event that could not be stored', () => {
    const ep = epoll();
    ep.add(event(1), 3, EPOLLIN | EPOLLET, 1, 0);
    expect(ep.collect({ add: () => -EINVAL }, 1)).toBe(-EINVAL);
    expect(collect(ep)).toEqual([[1, EPOLLIN]]);
  });

  it('tells files apart that share a descriptor number', () => {
    const ep = epoll();
    const [a, b] = [event(1), event(1)];
    expect([ep.add(a, 3, EPOLLIN, 1, 0), ep.add(b, 3, EPOLLIN, 2, 0), ep.itemCount]).toEqual([0, 0, 2]);
    expect(ep.remove(a, 3)).toBe(0);
    expect(collect(ep)).toEqual([[2, EPOLLIN]]);
  });

  it('forgets a file whose last descriptor is closed', () => {
    const ep = epoll();
    const file = event(1);
    ep.add(file, 3, EPOLLIN, 1, 0);
    file.incRef();
    file.decRef();
    expect(ep.itemCount).toBe(1);
    file.decRef();
    expect([ep.itemCount, collect(ep)]).toEqual([0, []]);
  });

  it('knows nothing of what it removed, and adds it again', () => {
    const ep = epoll();
    const file = event(1);
    ep.add(file, 3, EPOLLIN, 1, 0);
    expect([ep.remove(file, 3), ep.remove(file, 3), ep.modify(file, 3, EPOLLIN, 1, 0)]).toEqual([0, -ENOENT, -ENOENT]);
    expect([ep.itemCount, [...ep.items()], file.waiters.isEmpty, collect(ep)]).toEqual([0, [], true, []]);
    expect([ep.add(file, 3, EPOLLIN | EPOLLET, 2, 0), ep.add(file, 3, EPOLLIN, 2, 0)]).toEqual([0, -EEXIST]);
    expect([ep.itemCount, collect(ep), collect(ep)]).toEqual([1, [[2, EPOLLIN]], []]);
  });

  it('leaves what it removed when something else is removed, or the file goes', () => {
    const ep = epoll();
    const [a, b] = [event(1), event(1)];
    for (const file of [a, b]) ep.add(file, 3, EPOLLIN, 1, 0);
    ep.remove(a, 3);
    ep.remove(b, 3);
    expect(a.watchers).toBeNull();
    b.decRef();
    expect([ep.add(a, 3, EPOLLIN, 1, 0), ep.remove(a, 3), ep.itemCount]).toEqual([0, 0, 0]);
    ep.decRef();
    expect(a.watchers).toBeNull();
  });

  it('does not count what was removed into the depth of nesting', () => {
    const chain = Array.from({ length: 6 }, epoll);
    for (let i = 0; i < 4; i++) chain[i + 1]!.add(chain[i]!, 3, EPOLLIN, 1, 0);
    expect(chain[5]!.add(chain[4]!, 3, EPOLLIN, 1, 0)).toBe(-ELOOP);
    chain[1]!.remove(chain[0]!, 3);
    expect([chain[5]!.add(chain[4]!, 3, EPOLLIN, 1, 0), chain[0]!.add(epoll(), 3, EPOLLIN, 1, 0)]).toEqual([0, 0]);
  });

  it('leaves the files when it is closed', () => {
    const ep = epoll();
    const file = event(0);
    for (let fd = 0; fd < 4; fd++) ep.add(file, fd, EPOLLIN, fd, 0);
    ep.decRef();
    expect([file.watchers, file.waiters.isEmpty]).toEqual([null, true]);
  });

  it('refuses what epoll_ctl(2) refuses', () => {
    const ep = epoll();
    const file = event();
    ep.add(file, 3, EPOLLIN, 1, 0);
    expect([
      ep.add(file, 3, EPOLLIN, 1, 0),
      ep.add(new PlainFile(), 4, EPOLLIN, 1, 0),
      ep.add(ep, 5, EPOLLIN, 1, 0),
      ep.modify(file, 4, EPOLLIN, 1, 0),
      ep.remove(file, 4),
      ep.modify(file, 3, EPOLLIN | EPOLLEXCLUSIVE, 1, 0),
      ep.add(epoll(), 6, EPOLLIN | EPOLLEXCLUSIVE, 1, 0),
      ep.add(event(), 6, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE, 1, 0),
    ]).toEqual([-EEXIST, -EPERM, -EINVAL, -ENOENT, -ENOENT, -EINVAL, -EINVAL, -EINVAL]);
  });

  it('nests, and is readable while the inner one has events', () => {
    const [outer, inner] = [epoll(), epoll()];
    const file = event();
    outer.add(inner, 3, EPOLLIN, 9, 0);
    inner.add(file, 4, EPOLLIN | EPOLLOUT, 1, 0);
    inner.modify(file, 4, EPOLLIN, 1, 0);
    expect(collect(outer)).toEqual([]);
    file.add(1, 0);
    expect(collect(outer)).toEqual([[9, EPOLLIN]]);
  });

  it('refuses a loop and a sixth level: ELOOP', () => {
    const chain = Array.from({ length: 6 }, epoll);
    for (let i = 0; i < 4; i++) expect(chain[i]!.add(chain[i + 1]!, 3, EPOLLIN, 0, 0)).toBe(0);
    expect(chain[4]!.add(chain[5]!, 3, EPOLLIN, 0, 0)).toBe(-ELOOP);
    expect(chain[4]!.add(chain[0]!, 3, EPOLLIN, 0, 0)).toBe(-ELOOP);
  });
});
