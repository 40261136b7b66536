import { spawnSync } from 'node:child_process';
import { SyscallGroup, sentryFilters } from './seccomp-filter.js';

const host = JSON.stringify(require.resolve('../native/index.js'));

/** Runs `code` in a process that has the filters of `groups`. Returns what it resolves to, or the signal that killed it. */
function filtered(groups: readonly SyscallGroup[], code: string): unknown {
  const script = `
    const native = require(${host}), fs = require('fs'), net = require('net'), { Worker } = require('worker_threads');
    const work = async () => {${code}};
    const filters = ${JSON.stringify(sentryFilters(groups))};
    const installed = filters.map((filter) => native.installSeccompFilter(filter));
    if (installed.some((result) => result < 0)) throw new Error(String(installed));
    work().then((value) => fs.writeSync(1, JSON.stringify(value)));`;
  const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  return child.signal ?? (JSON.parse(child.stdout || JSON.stringify(child.stderr)) as unknown);
}

describe('sentryFilters', () => {
  it('let Node run: timers, the thread pool, workers, memory, collection of garbage', () => {
    const code = `
      await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => require('crypto').pbkdf2('a', 'b', 1000, 16, 'sha256', resolve));
      let list = [];
      for (let i = 0; i < 300; i++) list.push(new Array(10000).fill({ i }));
      const size = list.length;
      list = Array.from({ length: 50 }, () => Buffer.alloc(1 << 20));
      new Function('let s = 0; for (let i = 0; i < 1e6; i++) s += i % 7; return s')();
      const sleeper = new native.LoopSleeper();
      sleeper.sleep(2);
      sleeper.close();
      const worker = new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true });
      const message = await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
      return [size, message];`;
    expect(filtered([SyscallGroup.HOST_FILES], code)).toEqual([300, 'worker']);
  });

  it('let it use descriptors that are open', () => {
    const code = `
      const pair = new Int32Array(2);
      native.unixSocketpair(1, pair);
      const [left, right] = [...pair].map((fd) => new net.Socket({ fd }));
      left.end('hello');
      const text = await new Promise((resolve) => right.once('data', resolve));
      const fd = native.memfdCreate('m', 0);
      return [text.toString(), native.ftruncate(fd, 4096), native.fallocate(fd, 3, 0, 4096), native.close(fd)];`;
    expect(filtered([], code)).toEqual(['hello', 0, 0, 0]);
  });

  it('refuse names of files, without killing', () => {
    const code = `try { fs.openSync('/etc/passwd'); } catch (error) { return error.code; }`;
    expect(filtered([SyscallGroup.STUBS], code)).toBe('EACCES');
  });

  it.each`
    what                       | groups                         | code                                                                                                                                                                              | outcome
    ${'opening'}               | ${[]}                          | ${`return native.openat2(-100, '/', 0, 0, 0) > 0`}                                                                                                                                | ${'SIGSYS'}
    ${'opening'}               | ${[SyscallGroup.HOST_FILES]}   | ${`return native.openat2(-100, '/', 0, 0, 0) > 0`}                                                                                                                                | ${true}
    ${'changing the root'}     | ${[SyscallGroup.HOST_FILES]}   | ${`return native.chroot('/')`}                                                                                                                                                    | ${'SIGSYS'}
    ${'mounting'}              | ${[SyscallGroup.HOST_FILES]}   | ${`return native.mount(null, '/', null, 0, null)`}                                                                                                                                | ${'SIGSYS'}
    ${'executing'}             | ${[SyscallGroup.HOST_FILES]}   | ${`return native.startProcess({ file: '/bin/true', argv: [], envp: [], fds: [], namespaces: 0, uidMap: '', gidMap: '', parentDeathSignal: 0, landlock: -1 }, new Int32Array(2))`} | ${'SIGSYS'}
    ${'a socket'}              | ${[]}                          | ${`return native.socket(2, 1, 0) > 0`}                                                                                                                                            | ${'SIGSYS'}
    ${'a socket'}              | ${[SyscallGroup.HOST_NETWORK]} | ${`return native.socket(2, 1, 0) > 0`}                                                                                                                                            | ${true}
    ${'a netlink socket'}      | ${[SyscallGroup.HOST_NETWORK]} | ${`return native.socket(16, 3, 0) > 0`}                                                                                                                                           | ${'SIGSYS'}
    ${'a request to terminal'} | ${[]}                          | ${`return native.tcgetattr(0, new Uint8Array(36)) <= 0`}                                                                                                                          | ${true}
    ${'keeping capabilities'}  | ${[]}                          | ${`return native.setThreadCapabilities(0)`}                                                                                                                                       | ${'SIGSYS'}
    ${'executing'}             | ${[SyscallGroup.STUBS]}        | ${`return native.startProcess({ file: '/bin/true', argv: [], envp: [], fds: [], namespaces: 0, uidMap: '', gidMap: '', parentDeathSignal: 0, landlock: -1 }, new Int32Array(2))`} | ${'SIGSYS'}
    ${'signals'}               | ${[]}                          | ${`return native.signalProcess(0, 15)`}                                                                                                                                           | ${'SIGSYS'}
  `('$what, with $groups: $outcome', ({ groups, code, outcome }: Attempt) => {
    expect(filtered(groups, code)).toEqual(outcome);
  });
});

type Attempt = { groups: SyscallGroup[]; code: string; outcome: unknown };
