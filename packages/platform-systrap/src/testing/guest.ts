import { PAGE_BYTES } from '@tsv/platform';
import { Guest, type PlatformUnderTest } from '@tsv/platform/testing';
import { systrapPlatform } from '../platform-type.js';

/** Where the stub lies: `crates/stub-systrap/src/layout.rs`. */
export const STUB_CODE = 0x7fff_1000_0000;
const STUB_DATA = STUB_CODE + 2 * PAGE_BYTES;
export const STUB_BELL = STUB_CODE + 3 * PAGE_BYTES;
const STUB_CONTROL = STUB_CODE + 4 * PAGE_BYTES;
const STUB_SCRATCH = STUB_CODE + 5 * PAGE_BYTES;
export const STUB_SLOTS = 0x7fff_4000_0000;
export const SLOT_BYTES = 0x1_0000;

/** The platform for the suites that platforms share. */
export const systrap: PlatformUnderTest = {
  create: (memoryFile) => systrapPlatform.create({ memoryFile, deviceFd: -1, mayPatchCode: false }),
  unavailableReason: () => systrapPlatform.unavailableReason(),
  stubCode: STUB_CODE,
  stubControl: STUB_CONTROL,
  protectedAddresses: [STUB_CODE, STUB_DATA, STUB_CONTROL, STUB_SCRATCH, 0, STUB_CODE - 8, STUB_SLOTS + SLOT_BYTES],
  stubMappings: [
    '7fff10000000-7fff10003000 r-xs',
    '7fff10003000-7fff10004000 rw-s',
    '7fff10004000-7fff10005000 r--s',
    '7fff40000000-7fff40001000 rw-s',
    '7fff40001000-7fff40010000 rw-s',
  ],
  stubDescriptors: ['/memfd:tsv-control (deleted)', 'socket:[]', '/memfd:tsv-answer (deleted)', 'anon_inode:[eventfd]'],
  helperThreadCount: 1,
  // A stopped stub stays stopped here: nobody traces it.
  harmlessSignals: ['SIGTERM', 'SIGINT', 'SIGCONT', 'SIGTSTP', 'SIGSEGV', 'SIGTRAP', 'SIGSYS', 'SIGUSR1'],
  script: {
    addon: require.resolve('../../native/index.js'),
    createStubs: 'new native.SystrapStubs(file, false)',
    resume: 'memory[contexts[0] * 1024] = 1; stubs.wakeFunction()(contexts[0]);',
    processCount: 2,
  },
};

/** A guest under this platform, whose code the platform may change if `mayPatchCode`. */
export class SystrapGuest extends Guest {
  constructor(mayPatchCode = false) {
    super((memoryFile) => systrapPlatform.create({ memoryFile, deviceFd: -1, mayPatchCode }));
  }
}
