import { parseOwnCgroups } from './cgroup-return.js';

describe('parseOwnCgroups, cgroups(7)', () => {
  it('tells the path of each controller, and of version 2', () => {
    const paths = parseOwnCgroups('5:cpu,cpuacct:/a\n4:name=systemd:/s\n3:memory:/with:colon\n0::/user.slice\n');
    expect([...paths]).toEqual([
      ['cpu', '/a'],
      ['cpuacct', '/a'],
      ['name=systemd', '/s'],
      ['memory', '/with:colon'],
      ['', '/user.slice'],
    ]);
  });
});
