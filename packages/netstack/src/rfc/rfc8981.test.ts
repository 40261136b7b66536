import { AddressState, IFA_F_TEMPORARY, type NicAddress } from '../net/nic-address.js';
import { isReservedIdentifier, TEMP_PREFERRED_MS, TEMP_VALID_MS, TemporaryUse } from '../net/temporary-addresses.js';
import { EthernetWire, icmp6Of, IPV6, linkOption, nd } from '../testing/ethernet-wire.js';
import { addressBytes, u16 } from '../testing/packets.js';
import { IpAddress } from '../wire/ip-address.js';

const RA = 134;
const NS = 135;
const NA = 136;
const ZERO = [0, 0, 0, 0];
const PREFIX = '2001:db8:1::';
/** By the link address. */
const STABLE = '2001:db8:1::ff:fe00:1';
const INFINITE = 0xffffffff;
const FAR = '2001:db8:9::1';
/** REGEN_ADVANCE with one probe of duplicate address detection. */
const ADVANCE_MS = 5_000;
const DAD_MS = 5_000;

function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

function advertise(wire: EthernetWire, validSec: number, preferredSec: number): void {
  const option = [3, 4, 64, 0xc0, ...u32(validSec), ...u32(preferredSec), ...ZERO, ...addressBytes(PREFIX)];
  wire.inject(IPV6, nd({ dst: 'ff02::1' }, RA, 64, 0, ...u16(9000), ...ZERO, ...ZERO, ...option));
}

/** A host that has heard of the prefix, and has checked its addresses. */
function host(use: TemporaryUse = TemporaryUse.PREFERRED, validSec = INFINITE, preferredSec = INFINITE): EthernetWire {
  const wire = silent(use);
  advertise(wire, validSec, preferredSec);
  wire.pass(DAD_MS);
  return wire;
}

function silent(use: TemporaryUse): EthernetWire {
  const wire = new EthernetWire({ addresses: [], acceptsRouterAdvertisements: true, stack: { dadTransmits: 1 } });
  wire.stack.ndp.temporary.use = use;
  wire.pass(10_000);
  return wire;
}

function temporary(wire: EthernetWire): NicAddress[] {
  return wire.nic.addresses.filter(({ flags }) => (flags & IFA_F_TEMPORARY) !== 0);
}

function source(wire: EthernetWire): string {
  const path = wire.stack.findPath(IpAddress.parse(FAR), null, 0);
  return typeof path === 'number' ? `errno ${-path}` : path.src.toString();
}

describe('RFC 8981 section 3.3 and 3.4, making temporary addresses', () => {
  it('one of the prefix besides the stable one, with another identifier', () => {
    const wire = host();
    const [entry] = temporary(wire);
    const { w0, w1, w2, w3 } = entry!.address;
    const stable = IpAddress.parse(STABLE);
    expect(wire.nic.findAddress(stable)).toBeDefined();
    expect([w0, w1]).toEqual([stable.w0, stable.w1]);
    expect([w2, w3]).not.toEqual([stable.w2, stable.w3]);
  });

  it('none where use_tempaddr is 0, nor for a prefix that is soon over', () => {
    expect(temporary(host(TemporaryUse.NONE))).toEqual([]);
    expect(temporary(host(TemporaryUse.PREFERRED, 100, ADVANCE_MS / 1000))).toEqual([]);
  });

  it('it is checked as any other, and while it is, not used', () => {
    const wire = silent(TemporaryUse.PREFERRED);
    advertise(wire, INFINITE, INFINITE);
    expect(temporary(wire)[0]!.state).toBe(AddressState.TENTATIVE);
  });

  it('its lifetimes are not longer than those of the prefix', () => {
    const wire = host(TemporaryUse.PREFERRED, 3600, 1800);
    const [{ validUntilMs, preferredUntilMs }] = temporary(wire) as [NicAddress];
    const sinceMs = wire.clock.monotonicMs() - DAD_MS;
    expect(validUntilMs - sinceMs).toBeLessThanOrEqual(3_600_000);
    expect(preferredUntilMs - sinceMs).toBeLessThanOrEqual(1_800_000);
  });

  it('nor than two days, and preferred for one, less a random time that differs from host to host', () => {
    const wire = host();
    const [{ validUntilMs, preferredUntilMs }] = temporary(wire) as [NicAddress];
    const nowMs = wire.clock.monotonicMs();
    expect(validUntilMs - nowMs).toBeLessThanOrEqual(TEMP_VALID_MS);
    const preferredMs = preferredUntilMs - nowMs + DAD_MS;
    expect(preferredMs).toBeLessThanOrEqual(TEMP_PREFERRED_MS);
    expect(preferredMs).toBeGreaterThanOrEqual(0.6 * TEMP_PREFERRED_MS - DAD_MS);
  });

  it('further advertisements do not make them longer', () => {
    const wire = host();
    const [{ preferredUntilMs }] = temporary(wire) as [NicAddress];
    wire.pass(3_600_000);
    advertise(wire, INFINITE, INFINITE);
    expect(temporary(wire).map((entry) => entry.preferredUntilMs)).toEqual([preferredUntilMs]);
  });

  it('but shorter: with a preferred lifetime of 0 it is deprecated at once', () => {
    const wire = host();
    advertise(wire, 7200, 0);
    expect(temporary(wire)[0]!.state).toBe(AddressState.DEPRECATED);
    wire.pass(60_000);
    expect(temporary(wire)).toHaveLength(1);
  });
});

describe('RFC 8981 section 3.5, making new ones', () => {
  it('before the preferred lifetime is over there is another; then the old one is deprecated, and it goes when its time is over', () => {
    const wire = host();
    const [first] = temporary(wire) as [NicAddress];
    wire.pass(first.preferredUntilMs - ADVANCE_MS - wire.clock.monotonicMs() - 1);
    expect(temporary(wire)).toHaveLength(1);
    wire.pass(1);
    const [, second] = temporary(wire) as [NicAddress, NicAddress];
    expect(second.address.equals(first.address)).toBe(false);
    wire.pass(ADVANCE_MS);
    expect([first.state, second.state]).toEqual([AddressState.DEPRECATED, AddressState.PREFERRED]);
    advertise(wire, INFINITE, INFINITE);
    expect(source(wire)).toBe(second.address.toString());
    wire.pass(first.validUntilMs - wire.clock.monotonicMs());
    expect(wire.nic.findAddress(first.address)).toBeUndefined();
  });

  it('in a week there are never many', () => {
    const wire = host();
    for (let day = 0; day < 7; day++) {
      wire.pass(86_400_000);
      advertise(wire, INFINITE, INFINITE);
      expect(temporary(wire).length).toBeLessThanOrEqual(5);
    }
    expect(temporary(wire).length).toBeGreaterThan(0);
  });

  it('none for an interface that is down', () => {
    const wire = host();
    const before = temporary(wire).length;
    wire.nic.down();
    wire.pass(7 * 86_400_000);
    expect(temporary(wire).length).toBeLessThanOrEqual(before);
  });
});

describe('RFC 8981 section 3.4, an address that somebody has', () => {
  /** Somebody has the address that is being checked. */
  function take(wire: EthernetWire): void {
    const target = temporary(wire).at(-1)!.address.toString();
    wire.inject(
      IPV6,
      nd({ src: target, dst: 'ff02::1' }, NA, 0x20, 0, 0, 0, ...addressBytes(target), ...linkOption(2)),
    );
  }

  it('is given up for another', () => {
    const wire = silent(TemporaryUse.PREFERRED);
    advertise(wire, INFINITE, INFINITE);
    const [first] = temporary(wire);
    take(wire);
    expect(temporary(wire).map(({ address }) => address.equals(first!.address))).toEqual([false]);
  });

  it('three times, and then none is made', () => {
    const wire = silent(TemporaryUse.PREFERRED);
    advertise(wire, INFINITE, INFINITE);
    for (let i = 0; i < 4; i++) take(wire);
    expect(temporary(wire)).toEqual([]);
    advertise(wire, INFINITE, INFINITE);
    expect(temporary(wire)).toEqual([]);
  });
});

describe('RFC 6724 section 5 rule 7, which address is used', () => {
  it('the temporary one where use_tempaddr is 2', () => {
    const wire = host();
    expect(source(wire)).toBe(temporary(wire)[0]!.address.toString());
  });

  it('the stable one where it is 1', () => expect(source(host(TemporaryUse.AVAILABLE))).toBe(STABLE));

  it('both are answered for', () => {
    const wire = host();
    const asked = [STABLE, temporary(wire)[0]!.address.toString()].map((target) => {
      const question = nd({ src: 'fe80::2', dst: target }, NS, ...ZERO, ...addressBytes(target), ...linkOption(1));
      return icmp6Of(wire.inject(IPV6, question)[0]!)!.type;
    });
    expect(asked).toEqual([NA, NA]);
  });
});

describe('isReservedIdentifier, RFC 5453 section 3', () => {
  it.each([
    [0, 0, true],
    [0, 1, false],
    [0x02005eff, 0xfe000000, true],
    [0x02005eff, 0xfe005212, true],
    [0x02005eff, 0xfe005213, false],
    [0xfdffffff, 0xffffff7f, false],
    [0xfdffffff, 0xffffff80, true],
    [0xfdffffff, 0xffffffff, true],
  ])('%x %x: %s', (w2, w3, isReserved) => expect(isReservedIdentifier(w2 | 0, w3 | 0)).toBe(isReserved));
});
