import { EAGAIN, EBUSY, EINVAL, ENOENT, ERANGE, SYS_fork } from '@tsv/abi';
import { TestKernel } from '../testing/test-kernel.js';
import { Cgroup } from './cgroup.js';
import type { ControlFile } from './control-file.js';
import { controllerFiles } from './controller-files.js';
import { CORE_FILES } from './core-files.js';
import { isNumberList, parseBytes, parseCount } from './parse-value.js';

const k = new TestKernel();
const files = new Map([...CORE_FILES, ...controllerFiles(k.kernel)].map((file) => [file.name, file]));

function file(name: string): ControlFile {
  const found = files.get(name);
  if (found === undefined) throw new Error(`no file ${name}`);
  return found;
}
function read(cgroup: Cgroup, name: string): string {
  return file(name).read!(cgroup, null).trim();
}
function write(cgroup: Cgroup, name: string, text: string): number {
  return file(name).write!(cgroup, text, null);
}
function child(parent: Cgroup, name = 'child'): Cgroup {
  const made = parent.createChild(name);
  if (typeof made === 'number') throw new Error(`errno ${-made}`);
  return made;
}

describe('Cgroup.pathFrom, cgroup_namespaces(7)', () => {
  const root = new Cgroup(null, '');
  const [a, b] = [child(root, 'a'), child(root, 'b')];
  const deep = child(a, 'deep');

  it.each`
    what              | cgroup  | from    | path
    ${'itself'}       | ${a}    | ${a}    | ${'/'}
    ${'one below'}    | ${deep} | ${root} | ${'/a/deep'}
    ${'one above'}    | ${a}    | ${deep} | ${'/..'}
    ${'one beside'}   | ${b}    | ${deep} | ${'/../../b'}
    ${'the very top'} | ${root} | ${a}    | ${'/..'}
  `('$what is $path', ({ cgroup, from, path }: { cgroup: Cgroup; from: Cgroup; path: string }) => {
    expect(cgroup.pathFrom(from)).toBe(path);
  });
});

describe('cgroup.subtree_control, admin-guide/cgroup-v2', () => {
  it('gives controllers to children, and only such as it has itself', () => {
    const root = new Cgroup(null, '');
    const inner = child(root);
    expect(write(inner, 'cgroup.subtree_control', '+pids')).toBe(-ENOENT);
    expect(write(root, 'cgroup.subtree_control', '+pids +memory')).toBe(0);
    expect(read(inner, 'cgroup.controllers')).toBe('memory pids');
    expect(write(inner, 'cgroup.subtree_control', '+pids')).toBe(0);
    expect(write(root, 'cgroup.subtree_control', '-pids')).toBe(-EBUSY);
    expect(write(root, 'cgroup.subtree_control', '-memory')).toBe(0);
    expect(read(root, 'cgroup.subtree_control')).toBe('pids');
  });

  it('lets processes of the cgroup itself compete with children for what knows threads only', () => {
    const { rootCgroup } = k.kernel;
    write(rootCgroup, 'cgroup.subtree_control', '+pids +memory');
    const inner = child(rootCgroup, 'competes');
    const { threadGroup } = k.spawn();
    threadGroup.cgroup.move(threadGroup, inner);
    expect(write(inner, 'cgroup.subtree_control', '+memory')).toBe(-EBUSY);
    expect(write(inner, 'cgroup.subtree_control', '+pids')).toBe(0);
  });
});

describe('pids.max', () => {
  it('has fork(2) fail with EAGAIN at the limit, and counts it', () => {
    const inner = child(k.kernel.rootCgroup, 'limited');
    const task = k.spawn();
    task.threadGroup.cgroup.move(task.threadGroup, inner);
    expect(write(inner, 'pids.max', '2')).toBe(0);
    expect(k.call(task, SYS_fork)).toBeGreaterThan(0);
    expect(k.call(task, SYS_fork)).toBe(-EAGAIN);
    expect([read(inner, 'pids.current'), read(inner, 'pids.events'), read(inner, 'pids.peak')]).toEqual([
      '2',
      'max 1',
      '2',
    ]);
  });
});

describe('files of controllers', () => {
  it.each`
    name                  | text            | result     | shown
    ${'pids.max'}         | ${'max'}        | ${0}       | ${'max'}
    ${'pids.max'}         | ${'-1'}         | ${-EINVAL} | ${'max'}
    ${'pids.max'}         | ${'4194305'}    | ${-EINVAL} | ${'max'}
    ${'cpu.max'}          | ${'50000'}      | ${0}       | ${'50000 100000'}
    ${'cpu.max'}          | ${'max 200000'} | ${0}       | ${'max 200000'}
    ${'cpu.max'}          | ${'999'}        | ${-EINVAL} | ${'max 200000'}
    ${'cpu.max'}          | ${'1000 999'}   | ${-EINVAL} | ${'max 200000'}
    ${'cpu.max'}          | ${'1 2 3'}      | ${-EINVAL} | ${'max 200000'}
    ${'cpu.weight'}       | ${'1'}          | ${0}       | ${'1'}
    ${'cpu.weight'}       | ${'0'}          | ${-ERANGE} | ${'1'}
    ${'cpu.weight'}       | ${'10001'}      | ${-ERANGE} | ${'1'}
    ${'cpu.weight.nice'}  | ${'0'}          | ${0}       | ${'0'}
    ${'cpu.weight.nice'}  | ${'20'}         | ${-ERANGE} | ${'0'}
    ${'cpuset.cpus'}      | ${'0-1'}        | ${0}       | ${'0-1'}
    ${'cpuset.cpus'}      | ${'0-2'}        | ${-EINVAL} | ${'0-1'}
    ${'memory.max'}       | ${'512M'}       | ${0}       | ${'536870912'}
    ${'memory.max'}       | ${'5000'}       | ${0}       | ${'4096'}
    ${'memory.max'}       | ${'lots'}       | ${-EINVAL} | ${'4096'}
    ${'memory.oom.group'} | ${'1'}          | ${0}       | ${'1'}
    ${'memory.oom.group'} | ${'2'}          | ${-EINVAL} | ${'1'}
  `('$name takes "$text": $result', (row: { name: string; text: string; result: number; shown: string }) => {
    expect([write(settable, row.name, row.text), read(settable, row.name)]).toEqual([row.result, row.shown]);
  });
  const settable = child(k.kernel.rootCgroup, 'settable');

  it('memory.current is what the processes have, and cpu.stat stays when they are gone', () => {
    const inner = child(k.kernel.rootCgroup, 'used');
    const { threadGroup } = k.spawn();
    threadGroup.cgroup.move(threadGroup, inner);
    expect(Number(read(inner, 'memory.current'))).toBe(threadGroup.leader.mm.rssBytes);
    expect(read(inner, 'cpu.stat')).toMatch(/^usage_usec \d+\nuser_usec \d+\nsystem_usec \d+/);
  });
});

describe('values of control files', () => {
  it.each`
    text     | min  | max  | value
    ${'max'} | ${0} | ${9} | ${Infinity}
    ${'9'}   | ${0} | ${9} | ${9}
    ${'10'}  | ${0} | ${9} | ${-ERANGE}
    ${'-1'}  | ${0} | ${9} | ${-ERANGE}
    ${''}    | ${0} | ${9} | ${-EINVAL}
    ${'1e3'} | ${0} | ${9} | ${-EINVAL}
  `('"$text" in [$min, $max] is $value', (row: { text: string; min: number; max: number; value: number }) => {
    expect(parseCount(row.text, row.min, row.max)).toBe(row.value);
  });

  it.each`
    text                     | value
    ${'1k'}                  | ${0}
    ${'4K'}                  | ${4096}
    ${'1G'}                  | ${2 ** 30}
    ${'9223372036854775807'} | ${Infinity}
    ${'1X'}                  | ${-EINVAL}
  `('"$text" is $value bytes', ({ text, value }: { text: string; value: number }) => {
    expect(parseBytes(text)).toBe(value);
  });

  it.each`
    text       | isList
    ${'0'}     | ${true}
    ${'0-1,3'} | ${true}
    ${'4'}     | ${false}
    ${'2-1'}   | ${false}
    ${'0,'}    | ${false}
  `('"$text" is a list of CPUs of 4: $isList', ({ text, isList }: { text: string; isList: boolean }) => {
    expect(isNumberList(text, 4)).toBe(isList);
  });
});
