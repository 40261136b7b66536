import { REASON_SYSCALL, REG_ORIG_RAX, REG_RDI, REG_RIP } from '@tsv/platform';
import { CODE, DATA, asm, describeAddressSpaces } from '@tsv/platform/testing';
import { PtraceGuest, ptrace } from './testing/guest.js';

describeAddressSpaces(ptrace);

describe('AddressSpace.flush', () => {
  let guest: PtraceGuest;
  beforeEach(() => {
    guest = new PtraceGuest();
  });
  afterEach(() => {
    guest.close();
  });

  it('does nothing yet when all threads run', () => {
    const { space } = guest.space(asm.loop);
    const context = guest.thread(space);
    context.resume();
    expect(guest.platform.next()).toBe(-1);
    guest.mapCode(space, CODE, [...asm.loadRax, ...asm.syscall]);
    expect(space.flush()).toBe(0);
    expect(guest.platform.next()).toBe(-1);
    context.interrupt();
    guest.nextStop();
    context.page.set(REG_RIP, CODE);
    context.page.set(REG_RDI, DATA);
    guest.step(context);
    expect([context.page.reason, context.page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, 0]);
  });
});
