import { REASON_SYSCALL, REG_RIP } from '@tsv/platform';
import { CODE, asm, describeAddressSpaces } from '@tsv/platform/testing';
import { SystrapGuest, systrap } from './testing/guest.js';

describeAddressSpaces(systrap);

describe('AddressSpace.flush', () => {
  let guest: SystrapGuest;
  beforeEach(() => {
    guest = new SystrapGuest();
  });
  afterEach(() => {
    guest.close();
  });

  it('reaches threads that run', () => {
    const { space } = guest.space(asm.loop);
    const context = guest.thread(space);
    context.resume();
    expect(guest.platform.next()).toBe(-1);
    guest.mapCode(space, CODE, asm.syscall);
    expect(space.flush()).toBe(0);
    expect(guest.nextStop()).toBe(context.page.index);
    expect([context.page.reason, context.page.get(REG_RIP)]).toEqual([REASON_SYSCALL, CODE + 2]);
  });
});
