import { CAP_SETUID, EINVAL, EPERM } from '@tsv/abi';
import { CapSet } from '../cred/cap-set.js';
import { Credentials } from '../cred/credentials.js';
import { writeGidMap, writeSetgroups, writeUidMap } from './id-map.js';
import { OVERFLOW_ID, UserNamespace } from './user-namespace.js';

const root = new UserNamespace(null, 0, 0);

/** A user namespace of user 1000, and the user's credentials outside of it and inside. */
function made(): { ns: UserNamespace; outside: Credentials; inside: Credentials } {
  const ns = new UserNamespace(root, 1000, 1000);
  const outside = Credentials.forUser(root, 1000, 1000);
  return { ns, outside, inside: outside.with({ userNs: ns, effective: CapSet.FULL, permitted: CapSet.FULL }) };
}

describe('/proc/PID/uid_map, user_namespaces(7)', () => {
  it('maps the owner’s own ID', () => {
    const { ns, inside } = made();
    expect(writeUidMap(ns, '0 1000 1', inside)).toBe(0);
    expect([ns.uidToKernel(0), ns.uidInside(1000), ns.uidInside(0)]).toEqual([1000, 0, OVERFLOW_ID]);
    expect(writeUidMap(ns, '0 1000 1', inside)).toBe(-EPERM);
  });

  it.each(['', 'x', '0 0', '0 0 0', '-1 0 1', '4294967295 0 1', '0 0 2\n1 5 1', '0 0 2\n5 1 1'])(
    'refuses "%s"',
    (text) => {
      const { ns } = made();
      expect(writeUidMap(ns, text, Credentials.forUser(root, 0, 0))).toBe(-EINVAL);
    },
  );

  it('maps other IDs for those with CAP_SETUID in the parent', () => {
    const { ns, inside, outside } = made();
    expect(writeUidMap(ns, '0 1000 2', inside)).toBe(-EPERM);
    expect(writeUidMap(ns, '0 0 1', inside)).toBe(-EPERM);
    const admin = outside.with({ effective: CapSet.of([CAP_SETUID]), permitted: CapSet.of([CAP_SETUID]) });
    expect(writeUidMap(ns, '0 100000 65536\n65536 7 1', admin)).toBe(0);
    expect([ns.uidToKernel(5), ns.uidToKernel(65536)]).toEqual([100005, 7]);
  });

  it('is nobody else’s to write', () => {
    const { ns } = made();
    expect(writeUidMap(ns, '0 1001 1', Credentials.forUser(root, 1001, 1001))).toBe(-EPERM);
    expect(writeUidMap(root, '0 0 1', Credentials.forUser(root, 0, 0))).toBe(-EPERM);
  });

  it('goes through the maps of the namespaces around it', () => {
    const { ns, inside } = made();
    writeUidMap(ns, '0 1000 1', inside);
    const nested = new UserNamespace(ns, 1000, 1000);
    const within = inside.with({ userNs: nested });
    expect(writeUidMap(nested, '5 1 1', within)).toBe(-EPERM);
    expect(writeUidMap(nested, '5 0 1', within)).toBe(0);
    expect(nested.uidToKernel(5)).toBe(1000);
  });
});

describe('/proc/PID/gid_map and setgroups', () => {
  it('map the owner’s own group once setgroups is denied', () => {
    const { ns, inside } = made();
    expect(writeGidMap(ns, '0 1000 1', inside)).toBe(-EPERM);
    expect(writeSetgroups(ns, 'maybe', inside)).toBe(-EINVAL);
    expect(writeSetgroups(ns, 'deny', inside)).toBe(0);
    expect(writeSetgroups(ns, 'allow', inside)).toBe(-EPERM);
    expect(writeGidMap(ns, '0 1000 1', inside)).toBe(0);
    expect(writeSetgroups(ns, 'deny', inside)).toBe(-EPERM);
  });
});
