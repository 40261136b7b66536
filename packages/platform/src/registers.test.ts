import { CONTEXT_BYTES, REG_RAX } from './context-layout.generated.js';
import { ContextPage } from './registers.js';

describe('ContextPage.set', () => {
  it.each`
    value                      | low            | high
    ${0}                       | ${0}           | ${0}
    ${1}                       | ${1}           | ${0}
    ${-1}                      | ${0xffff_ffff} | ${0xffff_ffff}
    ${-4095}                   | ${0xffff_f001} | ${0xffff_ffff}
    ${0x7fff_ffff}             | ${0x7fff_ffff} | ${0}
    ${0x8000_0000}             | ${0x8000_0000} | ${0}
    ${0xffff_ffff}             | ${0xffff_ffff} | ${0}
    ${0x1_0000_0000}           | ${0}           | ${1}
    ${-0x8000_0000}            | ${0x8000_0000} | ${0xffff_ffff}
    ${-0x8000_0001}            | ${0x7fff_ffff} | ${0xffff_ffff}
    ${Number.MAX_SAFE_INTEGER} | ${0xffff_ffff} | ${0x1f_ffff}
  `('writes $value as two halves', ({ value, low, high }: { value: number; low: number; high: number }) => {
    const memory = new Uint32Array((2 * CONTEXT_BYTES) / 4);
    const page = new ContextPage(memory, 1);
    page.set(REG_RAX, value);
    expect([page.low(REG_RAX), page.high(REG_RAX)]).toEqual([low, high]);
  });
});
