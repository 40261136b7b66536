import { CAP_CHOWN, CAP_KILL, RLIMIT_NOFILE, RLIMIT_STACK, RLIM_INFINITY } from '@tsv/abi';
import { UserNamespace } from '@tsv/kernel';
import { createCredentials, createEnvironment, createLimits, withoutNetRaw } from './process-args.js';

const userNs = new UserNamespace(null, 0, 0);
const unexpected = (message: string): never => {
  throw new Error(message);
};

describe('createLimits, config.md "POSIX process"', () => {
  it('sets what is listed and leaves the rest at the default', () => {
    const limits = createLimits({ cwd: '/', rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }] });
    expect([limits.soft(RLIMIT_NOFILE), limits.hard(RLIMIT_NOFILE), limits.soft(RLIMIT_STACK)]).toEqual([
      10,
      20,
      8 << 20,
    ]);
  });

  it('takes 2^64 - 1 for no limit', () => {
    const limits = createLimits({ cwd: '/', rlimits: [{ type: 'RLIMIT_STACK', soft: 2 ** 64, hard: 2 ** 64 }] });
    expect(limits.soft(RLIMIT_STACK)).toBe(RLIM_INFINITY);
  });

  it.each([
    ['an unknown limit', [{ type: 'RLIMIT_X', soft: 1, hard: 1 }], '"RLIMIT_X" is no limit'],
    [
      'a soft limit above the hard one',
      [{ type: 'RLIMIT_AS', soft: 2, hard: 1 }],
      'soft limit 2 is above hard limit 1',
    ],
    [
      'a limit that is there twice',
      [
        { type: 'RLIMIT_AS', soft: 1, hard: 1 },
        { type: 'RLIMIT_AS', soft: 1, hard: 1 },
      ],
      'is there twice',
    ],
  ])('refuses %s', (_, rlimits, message) => {
    expect(() => createLimits({ cwd: '/', rlimits })).toThrow(message);
  });
});

describe('createEnvironment', () => {
  it('lets the last of a variable count', () => {
    expect(createEnvironment({ cwd: '/', env: ['A=1', 'B=2', 'A=3'] })).toEqual(['B=2', 'A=3']);
  });

  it('gives UTF-8 as bytes', () => {
    expect(createEnvironment({ cwd: '/', env: ['A=ä'] })).toEqual(['A=\xc3\xa4']);
  });

  it.each([['A'], ['=x'], ['A=\0']])('refuses %j', (entry) => {
    expect(() => createEnvironment({ cwd: '/', env: [entry] })).toThrow('process.env.0');
  });
});

describe('createCredentials', () => {
  it('gives user, groups and capabilities', () => {
    const creds = createCredentials(
      {
        cwd: '/',
        user: { uid: 5, gid: 6, additionalGids: [7] },
        capabilities: { effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
      },
      userNs,
      unexpected,
    );
    expect([creds.uid, creds.fsgid, creds.inGroup(7), creds.hasCap(CAP_KILL), creds.hasCap(CAP_CHOWN)]).toEqual([
      5,
      6,
      true,
      true,
      false,
    ]);
  });

  it('gives no capability when none is listed', () => {
    expect(createCredentials({ cwd: '/' }, userNs, unexpected).hasCap(CAP_KILL)).toBe(false);
  });

  it('leaves CAP_NET_RAW out where --net-raw is not given', () => {
    const capabilities = { bounding: ['CAP_KILL', 'CAP_NET_RAW'], ambient: ['CAP_NET_RAW'] };
    expect(withoutNetRaw({ cwd: '/', capabilities }).capabilities).toEqual({ bounding: ['CAP_KILL'], ambient: [] });
    expect(withoutNetRaw({ cwd: '/' })).toEqual({ cwd: '/' });
  });

  it('warns of a capability that does not exist, once, and goes on without', () => {
    const warnings: string[] = [];
    const sets = { ambient: ['CAP_FLY'], bounding: ['CAP_FLY', 'CAP_KILL'] };
    const creds = createCredentials({ cwd: '/', capabilities: sets }, userNs, (text) => warnings.push(text));
    expect(warnings).toEqual(['Cannot grant process.capabilities "CAP_FLY": there is none such']);
    expect([creds.bounding.has(CAP_KILL), creds.bounding.has(CAP_CHOWN)]).toEqual([true, false]);
  });
});
