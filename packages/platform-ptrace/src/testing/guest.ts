import { PAGE_BYTES } from '@tsv/platform';
import { Guest, type PlatformUnderTest } from '@tsv/platform/testing';
import { ptracePlatform } from '../platform-type.js';

/** Where the stub lies: `crates/stub/src/layout.rs`. */
const STUB_CODE = 0x7fff_1000_0000;
const STUB_CONTROL = STUB_CODE + PAGE_BYTES;
const STUB_SCRATCH = STUB_CODE + 2 * PAGE_BYTES;

/** The platform for the suites that platforms share. */
export const ptrace: PlatformUnderTest = {
  create: (memoryFile) => ptracePlatform.create({ memoryFile, deviceFd: -1 }),
  unavailableReason: () => ptracePlatform.unavailableReason(),
  stubCode: STUB_CODE,
  stubControl: STUB_CONTROL,
  protectedAddresses: [STUB_CODE, STUB_CONTROL, STUB_SCRATCH, 0, STUB_CODE - 8, STUB_SCRATCH + PAGE_BYTES],
  stubMappings: ['7fff10000000-7fff10001000 r-xs', '7fff10001000-7fff10002000 r--s'],
  stubDescriptors: ['/memfd:tsv-control (deleted)', 'socket:[]'],
  helperThreadCount: 0,
  harmlessSignals: ['SIGTERM', 'SIGINT', 'SIGSTOP', 'SIGCONT', 'SIGTSTP', 'SIGSEGV', 'SIGTRAP', 'SIGSYS', 'SIGUSR1'],
  script: {
    addon: require.resolve('../../native/index.js'),
    createStubs: 'new native.PtraceStubs(file)',
    resume: 'memory.set([1, contexts[0]], native.contextMax() * 1024); stubs.nextFunction()();',
    processCount: 3,
  },
};

/** A guest under this platform. */
export class PtraceGuest extends Guest {
  constructor() {
    super(ptrace.create);
  }
}
