export { describeAddressSpaces } from './address-space-suite.js';
export { CODE, DATA, Guest, PROT_EXEC, PROT_READ, PROT_WRITE, TestMemory, must } from './guest.js';
export { liveInSession, sessionOf, statusField, stubsOf, threadCount } from './host-processes.js';
export { describeHostileGuests } from './hostile-guest-suite.js';
export { describeLifetimes } from './lifetime-suite.js';
export { asm } from './machine-code.js';
export type { PlatformUnderTest } from './platform-under-test.js';
export { describePlatform } from './platform-suite.js';
export { describeRegisters } from './registers-suite.js';
