import { REASON_SYSCALL, REG_ORIG_RAX, REG_RCX } from '@tsv/platform';
import { CODE, asm, describeHostileGuests } from '@tsv/platform/testing';
import { PtraceGuest, ptrace } from './testing/guest.js';

describeHostileGuests(ptrace);

describe('odd ways into the kernel', () => {
  let guest: PtraceGuest;
  beforeEach(() => {
    guest = new PtraceGuest();
  });
  afterEach(() => {
    guest.close();
  });

  it('int $0x80 that pretends to be a syscall instruction is one to us, not to the host', () => {
    const { space } = guest.space([...asm.movEax(20), ...asm.int80]);
    const context = guest.thread(space);
    context.page.set(REG_RCX, CODE + 7);
    guest.step(context);
    expect([context.page.reason, context.page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, 20]);
  });
});
