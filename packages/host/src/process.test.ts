import { EINVAL } from '@tsv/abi';
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import {
  RUSAGE_COUNT,
  RUSAGE_MAXRSS_KIB,
  RUSAGE_STIME_US,
  RUSAGE_UTIME_US,
  cpuid,
  getrandom,
  getrlimit,
  getrusage,
  gettid,
  setDumpable,
  setParentDeathSignal,
  setUsableCpus,
  setrlimit,
  usableCpuCount,
} from './process.js';

const RLIMIT_NOFILE = 7;
const RLIMIT_CORE = 4;
const GRND_INSECURE = 4;
const isRoot = process.getuid?.() === 0;
// Skipped without root: other identities and higher limits need it.
const itAsRoot = isRoot ? it : it.skip;

/** Runs `code` in a process of its own, with `native`, and returns what it evaluates to. */
function inChild(code: string): unknown {
  const path = JSON.stringify(require.resolve('../native/index.js'));
  const script = `const native = require(${path}); console.log(JSON.stringify((() => {${code}})()))`;
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}

describe('privileges', () => {
  it('are given up by setNoNewPrivs', () => {
    expect(inChild(`return [native.getNoNewPrivs(), native.setNoNewPrivs(), native.getNoNewPrivs()]`)).toEqual([
      0, 0, 1,
    ]);
  });

  itAsRoot('are given up by setThreadIdentity', () => {
    const code = `const status = native.setThreadIdentity(65534, 65533, Uint32Array.of(7));
      const text = require('fs').readFileSync('/proc/thread-self/status', 'utf8');
      return [status, ...text.match(/^(Uid|Gid|Groups):.*$/gm).map((line) => line.trim())]`;
    expect(inChild(code)).toEqual([
      0,
      'Uid:\t65534\t65534\t65534\t65534',
      'Gid:\t65533\t65533\t65533\t65533',
      'Groups:\t7',
    ]);
    expect(inChild('return native.setThreadIdentity(0xffffffff, 0, new Uint32Array(0))')).toBe(-EINVAL);
  });

  it.each([
    [() => setParentDeathSignal(0), 0],
    [() => setParentDeathSignal(9999), -EINVAL],
    [() => setDumpable(1), 0],
    [() => setDumpable(2), -EINVAL],
  ])('%s returns %d', (call, result) => {
    expect(call()).toBe(result);
  });
});

describe('limits', () => {
  it('are read and set', () => {
    const limits = new Float64Array(2);
    expect(getrlimit(RLIMIT_NOFILE, limits)).toBe(0);
    const [soft, hard] = limits;
    expect(setrlimit(RLIMIT_NOFILE, soft! - 1, hard!)).toBe(0);
    getrlimit(RLIMIT_NOFILE, limits);
    expect(limits[0]).toBe(soft! - 1);
    expect(setrlimit(RLIMIT_NOFILE, soft!, hard!)).toBe(0);
  });

  it('may be infinite', () => {
    const limits = new Float64Array(2);
    getrlimit(RLIMIT_CORE, limits);
    expect(setrlimit(RLIMIT_CORE, limits[0]!, limits[1]!)).toBe(0);
    expect(
      inChild(`const l = new Float64Array(2); native.getrlimit(3, l); return [l[1] === Infinity || l[1] > 0]`),
    ).toEqual([true]);
  });

  it.each([-1, 1.5, NaN, 2 ** 54])('are not %d', (value) => {
    expect(setrlimit(RLIMIT_CORE, value, Infinity)).toBe(-EINVAL);
  });

  it('are those that exist', () => {
    expect(getrlimit(99, new Float64Array(2))).toBe(-EINVAL);
    expect(getrlimit(RLIMIT_CORE, new Float64Array(1))).toBe(-EINVAL);
  });
});

describe('usage', () => {
  it('is what Node says', () => {
    const fields = new Float64Array(RUSAGE_COUNT);
    expect(getrusage(0, fields)).toBe(0);
    const node = process.cpuUsage();
    expect(Math.abs(node.user - fields[RUSAGE_UTIME_US]!)).toBeLessThan(50_000);
    expect(Math.abs(node.system - fields[RUSAGE_STIME_US]!)).toBeLessThan(50_000);
    expect(fields[RUSAGE_MAXRSS_KIB]).toBeGreaterThan(10_000);
    expect([getrusage(5, fields), getrusage(0, new Float64Array(1))]).toEqual([-EINVAL, -EINVAL]);
  });
});

describe('CPUs', () => {
  it('are counted, and chosen', () => {
    expect(usableCpuCount()).toBe(availableParallelism());
    expect(inChild('return [native.setUsableCpus(Int32Array.of(0)), native.usableCpuCount()]')).toEqual([0, 1]);
  });

  it.each([-1, 1024, 1 << 30])('have no number %d', (cpu) => {
    expect(setUsableCpus(Int32Array.of(cpu))).toBe(-EINVAL);
  });

  it('name their vendor', () => {
    const registers = new Uint32Array(4);
    expect(cpuid(0, 0, registers)).toBe(0);
    const vendor = Buffer.from(Uint32Array.of(registers[1]!, registers[3]!, registers[2]!).buffer).toString('latin1');
    expect(vendor).toMatch(/^[ -~]{12}$/);
    expect(cpuid(0, 0, new Uint32Array(3))).toBe(-EINVAL);
  });
});

describe('getrandom', () => {
  it('fills a buffer', () => {
    const buffer = new Uint8Array(64);
    expect(getrandom(buffer, GRND_INSECURE)).toBe(64);
    expect(buffer.some((byte) => byte !== 0)).toBe(true);
    expect(getrandom(buffer, 0x100)).toBe(-EINVAL);
  });
});

describe('gettid', () => {
  it('is the pid on the main thread', () => {
    expect(gettid()).toBe(process.pid);
  });
});
