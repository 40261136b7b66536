import { ConfigError, defaultConfig, parseConfig } from '@tsv/oci';
import fc from 'fast-check';
import { SandboxError } from '../sandbox-error.js';
import { checkSpec } from './check-spec.js';
import { compileSeccomp } from './seccomp/compile-seccomp.js';

type Json = fc.JsonValue;

/** Values that a field may well be taken for a valid one. */
const value: fc.Arbitrary<Json> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<Json>('', '/', '..', '/../..', '\0', 'a'.repeat(5000), -1, 2 ** 31, 2 ** 53, 1e300, null, [], {}, [
    null,
  ]),
);

/** `json` with the field that `at` chooses, again and again down to a leaf, replaced; or another one beside it. */
function spoil(json: Json, at: readonly number[], by: Json, name: string): Json {
  if (typeof json !== 'object' || json === null || at.length === 0) return by;
  const [first, ...rest] = at;
  if (Array.isArray(json)) {
    const index = first! % (json.length + 1);
    return [...json.slice(0, index), spoil(json[index] ?? null, rest, by, name), ...json.slice(index + 1)];
  }
  const keys = Object.keys(json);
  const key = keys[first! % (keys.length + 1)] ?? name;
  return { ...json, [key]: spoil(json[key] ?? null, rest, by, name) };
}

const withSeccomp = {
  ...defaultConfig(),
  linux: {
    ...defaultConfig().linux,
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [
        { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
        {
          names: ['clone'],
          action: 'SCMP_ACT_ALLOW',
          args: [{ index: 0, value: 1, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' }],
        },
      ],
    },
  },
};
const NAMES = ['seccomp', 'resources', 'devices', 'sysctl', 'uidMappings', 'capabilities', 'rlimits', 'user', 'hooks'];

describe('a config.json that is spoiled', () => {
  it('is refused with an error that tells what is wrong, or is taken', () => {
    const changes = fc.array(
      fc.record({ at: fc.array(fc.nat(20), { maxLength: 6 }), by: value, name: fc.constantFrom(...NAMES) }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(changes, (list) => {
        let json = JSON.parse(JSON.stringify(withSeccomp)) as Json;
        for (const { at, by, name } of list) json = spoil(json, at, by, name);
        try {
          const spec = parseConfig(JSON.stringify(json), 'config.json');
          checkSpec(spec);
          if (spec.linux?.seccomp !== undefined) compileSeccomp(spec.linux.seccomp);
        } catch (error) {
          if (!(error instanceof ConfigError) && !(error instanceof SandboxError)) throw error;
          expect(error.message).not.toBe('');
        }
      }),
      { numRuns: 1500, seed: 7 },
    );
  });
});
