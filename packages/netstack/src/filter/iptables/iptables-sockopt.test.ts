import fc from 'fast-check';
import { EAGAIN, EFAULT, EINVAL, ENOENT, ENOPROTOOPT, EPROTONOSUPPORT } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { SeededRandom } from '../../net/random.js';
import { Stack } from '../../stack.js';
import { IpAddress } from '../../wire/ip-address.js';
import { CtState } from '../conntrack.js';
import { LimitMatch, MultiportMatch, PortMatch, StateMatch } from '../matches.js';
import { Netfilter } from '../netfilter.js';
import { Rule } from '../rule.js';
import {
  IP6T_SO_GET_REVISION_MATCH,
  IP6T_SO_GET_REVISION_TARGET,
  IPT_SO_GET_ENTRIES,
  IPT_SO_GET_INFO,
  IPT_SO_GET_REVISION_MATCH,
  IPT_SO_GET_REVISION_TARGET,
  IPT_SO_SET_ADD_COUNTERS,
  IPT_SO_SET_REPLACE,
  IptablesSockopt,
} from './iptables-sockopt.js';
import { CAPTURED_TABLES, type CapturedTable } from './testing/captured.js';

const decode = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const copyNothing = (): number => 0;

function netfilter(): Netfilter {
  return new Netfilter(new Stack({ clock: new VirtualClock(1), random: new SeededRandom(1) }));
}

function named(table: string, len: number): Uint8Array {
  const bytes = new Uint8Array(len);
  for (let i = 0; i < table.length; i++) bytes[i] = table.charCodeAt(i);
  return bytes;
}

function info(sockopt: IptablesSockopt, table: string): DataView {
  const value = named(table, 84);
  expect(sockopt.get(IPT_SO_GET_INFO, value)).toBe(84);
  return new DataView(value.buffer);
}

/** The entries of a table, without what comes before them. */
function entries(sockopt: IptablesSockopt, table: string): Uint8Array {
  const size = info(sockopt, table).getUint32(80, true);
  const value = named(table, 40 + size);
  new DataView(value.buffer).setUint32(32, size, true);
  expect(sockopt.get(IPT_SO_GET_ENTRIES, value)).toBe(value.length);
  return value.subarray(40);
}

/** `struct ipt_replace` that puts what was captured into a table that has `counterCount` entries. */
function replaceOf({ table, infoBase64, entriesBase64 }: CapturedTable, counterCount: number): Uint8Array {
  const captured = decode(infoBase64);
  const blob = decode(entriesBase64).subarray(40);
  const value = named(table, 96 + blob.length);
  value.set(captured.subarray(32, 36), 32); // valid_hooks
  value.set(captured.subarray(76, 84), 36); // num_entries, size
  value.set(captured.subarray(36, 76), 44); // hook_entry, underflow
  new DataView(value.buffer).setUint32(84, counterCount, true);
  value.set(blob, 96);
  return value;
}

/** Zeroes what is the kernel's own: `nfcache`, `comefrom`, counters, and the state in a limit. */
function masked(bytes: Uint8Array, family: 4 | 6): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const [fieldsAt, headerBytes] = family === 4 ? [84, 112] : [136, 168];
  for (let at = 0; at < copy.length;) {
    copy.fill(0, at + fieldsAt, at + fieldsAt + 4);
    copy.fill(0, at + fieldsAt + 8, at + headerBytes);
    at += view.getUint16(at + fieldsAt + 6, true);
  }
  return copy;
}

const load = (netfilterOf: Netfilter, captured: CapturedTable): number => {
  const sockopt = new IptablesSockopt(netfilterOf, captured.family);
  const count = info(sockopt, captured.table).getUint32(76, true);
  return sockopt.set(IPT_SO_SET_REPLACE, replaceOf(captured, count), copyNothing);
};

describe('IptablesSockopt, with tables that Linux has given to iptables-legacy', () => {
  it.each(CAPTURED_TABLES.map((captured) => [`IPv${captured.family} ${captured.table}`, captured] as const))(
    '%s: what is loaded is what is told',
    (_name, captured) => {
      const target = netfilter();
      expect(load(target, captured)).toBe(0);
      const sockopt = new IptablesSockopt(target, captured.family);
      const told = entries(sockopt, captured.table);
      const given = decode(captured.entriesBase64).subarray(40);
      expect(masked(told, captured.family)).toEqual(masked(given, captured.family));
      const captures = decode(captured.infoBase64);
      expect(new Uint8Array(info(sockopt, captured.table).buffer).subarray(32)).toEqual(captures.subarray(32));
    },
  );

  it.each(CAPTURED_TABLES.map((captured) => [`IPv${captured.family} ${captured.table}`, captured] as const))(
    '%s: any byte may lie',
    (_name, captured) => {
      const target = netfilter();
      const edit = fc.record({ at: fc.nat(100_000), byte: fc.nat(255) });
      fc.assert(
        fc.property(fc.array(edit, { maxLength: 4 }), fc.option(fc.nat(8000), { nil: Infinity }), (edits, len) => {
          const sockopt = new IptablesSockopt(target, captured.family);
          const count = info(sockopt, captured.table).getUint32(76, true);
          const value = replaceOf(captured, count).slice(0, len);
          for (const { at, byte } of edits) if (at % value.length > 31) value[at % value.length] = byte;
          expect([0, -EINVAL, -EAGAIN]).toContain(sockopt.set(IPT_SO_SET_REPLACE, value, copyNothing));
          entries(sockopt, captured.table);
        }),
        { numRuns: 150, seed: 3 },
      );
    },
  );
});

describe('IptablesSockopt', () => {
  it('tells empty tables', () => {
    const sockopt = new IptablesSockopt(netfilter(), 4);
    const told = info(sockopt, 'filter');
    expect([32, 76, 80].map((at) => told.getUint32(at, true))).toEqual([0b1110, 4, 3 * 152 + 176]);
    expect(info(sockopt, 'nat').getUint32(32, true)).toBe(0b11011);
  });

  it('tells the rules that a program has made', () => {
    const target = netfilter();
    const { filter, nat } = target.ipv4;
    filter.addChain('mine');
    filter.insertRule('mine', new Rule({ inInterface: 'eth+' }, [new StateMatch(CtState.NEW)], { kind: 'DROP' }));
    filter.insertRule('INPUT', new Rule({}, [], { kind: 'JUMP', chain: 'mine' }));
    filter.insertRule('INPUT', new Rule({ protocol: 6 }, [new PortMatch(null, { min: 80, max: 80 }, 2, 2)], null));
    const ports = new MultiportMatch('destination', [{ min: 1, max: 2 }]);
    filter.insertRule('INPUT', new Rule({ protocol: 17 }, [ports, new LimitMatch(10, 5)], { kind: 'ACCEPT' }));
    const to = { kind: 'DNAT', address: IpAddress.parse('10.0.0.1'), port: 80 } as const;
    nat.insertRule('PREROUTING', new Rule({ protocol: 6 }, [], to));
    const sockopt = new IptablesSockopt(target, 4);
    for (const table of ['filter', 'nat'] as const) {
      const before = entries(sockopt, table);
      const told = info(sockopt, table);
      const value = named(table, 96 + before.length);
      value.set(new Uint8Array(told.buffer, 32, 4), 32);
      value.set(new Uint8Array(told.buffer, 76, 8), 36);
      value.set(new Uint8Array(told.buffer, 36, 40), 44);
      value.set(new Uint8Array(told.buffer, 76, 4), 84);
      value.set(before, 96);
      expect(sockopt.set(IPT_SO_SET_REPLACE, value, copyNothing)).toBe(0);
      expect(entries(sockopt, table)).toEqual(before);
    }
  });

  it('gives the old counters back, and adds to the new ones', () => {
    const target = netfilter();
    target.ipv4.raw.chain('OUTPUT')!.packets = 2 ** 33 + 1;
    const captured = CAPTURED_TABLES.find(({ table }) => table === 'raw')!;
    const sockopt = new IptablesSockopt(target, 4);
    const copied: [number, Uint8Array][] = [];
    const value = replaceOf(captured, 3);
    new DataView(value.buffer).setUint32(88, 0x5000, true);
    new DataView(value.buffer).setUint32(92, 0x7f, true);
    const copy = (addr: number, bytes: Uint8Array): number => {
      copied.push([addr, bytes]);
      return 0;
    };
    expect(sockopt.set(IPT_SO_SET_REPLACE, value, copy)).toBe(0);
    expect([copied[0]![0], copied[0]![1].length]).toEqual([0x7f_0000_5000, 3 * 16]);
    expect([...copied[0]![1].subarray(16, 24)]).toEqual([1, 0, 0, 0, 2, 0, 0, 0]);

    const count = info(sockopt, 'raw').getUint32(76, true);
    const add = named('raw', 40 + count * 16);
    new DataView(add.buffer).setUint32(32, count, true);
    for (let i = 0; i < count; i++) new DataView(add.buffer).setUint32(40 + i * 16, i + 1, true);
    expect(sockopt.set(IPT_SO_SET_ADD_COUNTERS, add, copyNothing)).toBe(0);
    expect(target.ipv4.raw.chain('PREROUTING')!.rules[0]!.packets).toBe(1);
    expect(sockopt.set(IPT_SO_SET_ADD_COUNTERS, add.slice(0, -16), copyNothing)).toBe(-EINVAL);
  });

  it.each([
    ['another table', IPT_SO_GET_INFO, named('arp', 84), -ENOENT],
    ['a length that is wrong', IPT_SO_GET_INFO, named('filter', 83), -EINVAL],
    ['entries of a table that has changed', IPT_SO_GET_ENTRIES, named('filter', 40), -EAGAIN],
    ['an option that there is not', 70, named('filter', 84), -ENOPROTOOPT],
  ])('refuses %s', (_name, option, value, errno) => {
    expect(new IptablesSockopt(netfilter(), 4).get(option, value)).toBe(errno);
  });

  it('says that the program has not seen the last change, and that it cannot store', () => {
    const target = netfilter();
    const captured = CAPTURED_TABLES[0]!;
    const sockopt = new IptablesSockopt(target, 4);
    expect(sockopt.set(IPT_SO_SET_REPLACE, replaceOf(captured, 3), copyNothing)).toBe(-EAGAIN);
    expect(sockopt.set(IPT_SO_SET_REPLACE, replaceOf(captured, 4), () => -EFAULT)).toBe(-EFAULT);
  });

  it.each([
    [4, 'match', 'conntrack', 3, 3],
    [4, 'match', 'conntrack', 0, -EPROTONOSUPPORT],
    [4, 'match', 'icmp6', 0, -ENOENT],
    [6, 'match', 'icmp6', 0, 0],
    [4, 'target', 'DNAT', 0, 2],
    [6, 'target', 'DNAT', 0, -EPROTONOSUPPORT],
    [6, 'target', 'REJECT', 0, 0],
    [4, 'target', 'TEE', 1, -ENOENT],
    [4, 'target', '', 0, 0],
  ] as const)('IPv%i, %s "%s" revision %i: %i', (family, kind, name, revision, answer) => {
    const value = named(name, 30);
    value[29] = revision;
    const options =
      family === 4
        ? { match: IPT_SO_GET_REVISION_MATCH, target: IPT_SO_GET_REVISION_TARGET }
        : { match: IP6T_SO_GET_REVISION_MATCH, target: IP6T_SO_GET_REVISION_TARGET };
    expect(new IptablesSockopt(netfilter(), family).get(options[kind], value)).toBe(answer);
  });
});
