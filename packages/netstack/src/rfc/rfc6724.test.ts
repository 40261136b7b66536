import { AddressState } from '../net/nic-address.js';
import { EthernetWire } from '../testing/ethernet-wire.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

/** The source of packets to `dst` of a host with these addresses; "!" before a deprecated one. */
function source(dst: string, addresses: string): string {
  const wire = new EthernetWire({ addresses: [] });
  for (const text of addresses.split(' ')) {
    const entry = wire.nic.addAddress(parsePrefix(text.replace('!', '')));
    if (text.startsWith('!')) entry!.state = AddressState.DEPRECATED;
  }
  wire.stack.routes.add({ destination: parsePrefix('::/0'), nicId: wire.nic.id });
  wire.stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: wire.nic.id });
  const path = wire.stack.findPath(IpAddress.parse(dst), null, dst.startsWith('f') ? wire.nic.id : 0);
  return typeof path === 'number' ? `errno ${-path}` : path.src.toString();
}

describe('RFC 6724 section 5, source address selection', () => {
  it.each`
    rule      | dst                    | addresses                                  | chosen
    ${'2'}    | ${'2001:db8:9::1'}     | ${'2001:db8:3::1/64'}                      | ${'2001:db8:3::1'}
    ${'2'}    | ${'ff15::1'}           | ${'2001:db8:3::1/64'}                      | ${'2001:db8:3::1'}
    ${'2'}    | ${'fe80::2'}           | ${'2001:db8:3::1/64'}                      | ${'fe80::ff:fe00:1'}
    ${'3'}    | ${'2001:db8:1::d5e3'}  | ${'2001:db8:3::1/64 !2001:db8:1::2/64'}    | ${'2001:db8:3::1'}
    ${'3'}    | ${'2001:db8:1::d5e3'}  | ${'!2001:db8:1::2/64'}                     | ${'2001:db8:1::2'}
    ${'6'}    | ${'2002:c633:6401::1'} | ${'2001:db8:1::2/64 2002:c633:6401::2/48'} | ${'2002:c633:6401::2'}
    ${'6'}    | ${'fd00::9'}           | ${'2001:db8:1::2/64 fd12::1/64'}           | ${'fd12::1'}
    ${'6'}    | ${'2001::9'}           | ${'2001:db8:1::2/64 2001::2/32'}           | ${'2001::2'}
    ${'8'}    | ${'2001:db8:1::d5e3'}  | ${'2001:db8:3::1/64 2001:db8:1::2/64'}     | ${'2001:db8:1::2'}
    ${'IPv4'} | ${'10.1.0.9'}          | ${'192.0.2.1/24 10.1.0.1/16'}              | ${'10.1.0.1'}
  `('rule $rule: to $dst from $addresses it is $chosen', ({ dst, addresses, chosen }: Record<string, string>) => {
    expect(source(dst!, addresses!)).toBe(chosen);
  });

  it('rule 1: to one of its own addresses it is that one', () => {
    expect(source('2001:db8:3::1', '2001:db8:3::1/64 2001:db8:3::2/64')).toBe('2001:db8:3::1');
  });

  it('rule 5: an address of the interface that packets go out by comes before those of others', () => {
    const wire = new EthernetWire({ addresses: ['2001:db8:1::1/64'] });
    const other = wire.stack.addNic('eth1', new EthernetWire().link, { addresses: [parsePrefix('2001:db8:2::1/64')] });
    wire.stack.routes.add({ destination: parsePrefix('2001:db8:1:1::/64'), nicId: other.id });
    const path = wire.stack.findPath(IpAddress.parse('2001:db8:1:1::9'), null, 0);
    expect(typeof path === 'number' ? path : path.src.toString()).toBe('2001:db8:2::1');
  });
});
