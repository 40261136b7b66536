import { EFAULT, EINVAL, EPERM, ESRCH, SYS_process_vm_readv, SYS_process_vm_writev } from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, DATA_BYTES, TestKernel } from '../testing/test-kernel.js';

const IOV_ADDR = DATA_ADDR;
const REMOTE_IOV_ADDR = DATA_ADDR + 0x800;
const BUFFER_ADDR = DATA_ADDR + 0x1000;

let k: TestKernel;
let caller: Task;
let target: Task;

beforeEach(() => {
  k = new TestKernel();
  caller = k.spawn();
  target = k.spawn();
});

const setRanges = (addr: number, ranges: number[]) => {
  ranges.forEach((word, i) => caller.mm.store64(addr + i * 8, word));
  return ranges.length / 2;
};
const transfer = (nr: number, task: Task, pid: number, local: number[], remote: number[], flags = 0) => {
  const localCount = setRanges(IOV_ADDR, local);
  const remoteCount = setRanges(REMOTE_IOV_ADDR, remote);
  if (task !== caller) task.mm.copyOut(IOV_ADDR, new Uint8Array(k.peek(caller, IOV_ADDR, 0x1000).buffer), 0, 0x1000);
  return k.call(task, nr, pid, IOV_ADDR, localCount, REMOTE_IOV_ADDR, remoteCount, flags);
};

describe('process_vm_readv(2) and process_vm_writev(2)', () => {
  it('copy between processes, piece by piece', () => {
    k.put(target, BUFFER_ADDR + 0xffe, 'hello');
    const remote = [BUFFER_ADDR + 0xffe, 3, BUFFER_ADDR, 0, BUFFER_ADDR + 0x1001, 2];
    expect(transfer(SYS_process_vm_readv, caller, target.tid, [BUFFER_ADDR, 1, BUFFER_ADDR + 8, 10], remote)).toBe(5);
    expect(caller.mm.copyInString(BUFFER_ADDR, 10)).toBe('h');
    expect(caller.mm.copyInString(BUFFER_ADDR + 8, 10)).toBe('ello');
    expect(transfer(SYS_process_vm_writev, caller, target.tid, [BUFFER_ADDR + 8, 2], [BUFFER_ADDR, 2])).toBe(2);
    expect(target.mm.copyInString(BUFFER_ADDR, 10)).toBe('el');
  });
  it('return what was moved before a fault', () => {
    const end = DATA_ADDR + DATA_BYTES;
    expect(transfer(SYS_process_vm_readv, caller, target.tid, [BUFFER_ADDR, 100], [end - 7, 100])).toBe(7);
  });
  it.each`
    name                       | pid     | remote             | flags | errno
    ${'nothing readable'}      | ${0}    | ${[BAD_ADDR, 8]}   | ${0}  | ${EFAULT}
    ${'a process that is not'} | ${4711} | ${[DATA_ADDR, 8]}  | ${0}  | ${ESRCH}
    ${'flags'}                 | ${0}    | ${[DATA_ADDR, 8]}  | ${1}  | ${EINVAL}
    ${'a negative length'}     | ${0}    | ${[DATA_ADDR, -1]} | ${0}  | ${EINVAL}
  `('$name: errno $errno', ({ pid, remote, flags, errno }: Record<string, number> & { remote: number[] }) => {
    const status = transfer(SYS_process_vm_readv, caller, pid! || target.tid, [BUFFER_ADDR, 8], remote, flags);
    expect(status).toBe(-errno!);
  });
  it("EPERM for another user's process", () => {
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(transfer(SYS_process_vm_readv, user, target.tid, [BUFFER_ADDR, 8], [DATA_ADDR, 8])).toBe(-EPERM);
    const other = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(transfer(SYS_process_vm_readv, user, other.tid, [BUFFER_ADDR, 8], [DATA_ADDR, 8])).toBe(8);
  });
});
