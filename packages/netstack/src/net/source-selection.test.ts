import type { Nic } from './nic.js';
import { AddressState, NicAddress } from './nic-address.js';
import { selectSource } from './source-selection.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

function candidates(texts: string): NicAddress[] {
  return texts.split(' ').map((text) => {
    const isDeprecated = text.startsWith('!');
    const { address, prefixLen } = parsePrefix(isDeprecated ? text.slice(1) : text);
    const entry = new NicAddress(null as unknown as Nic, address, prefixLen, 0);
    if (isDeprecated) entry.state = AddressState.DEPRECATED;
    return entry;
  });
}

describe('selectSource, RFC 6724 section 5', () => {
  it.each`
    dst                    | from                                       | source
    ${'2001:db8:1::1'}     | ${'2001:db8:3::1/64 fe80::1/64'}           | ${'2001:db8:3::1'}
    ${'ff05::1'}           | ${'fe80::1/64 2001:db8:3::1/64'}           | ${'2001:db8:3::1'}
    ${'fe80::2'}           | ${'2001:db8:3::1/64 fe80::1/64'}           | ${'fe80::1'}
    ${'2001:db8:1::1'}     | ${'2001:db8:1::1/64 2001:db8:2::1/64'}     | ${'2001:db8:1::1'}
    ${'2001:db8:1::d5e3'}  | ${'2001:db8:3::1/64 2001:db8:1::2/64'}     | ${'2001:db8:1::2'}
    ${'2001:db8:1::d5e3'}  | ${'2001:db8:3::1/64 !2001:db8:1::2/64'}    | ${'2001:db8:3::1'}
    ${'2002:c633:6401::1'} | ${'2001:db8:1::2/64 2002:c633:6401::2/48'} | ${'2002:c633:6401::2'}
    ${'fd00::9'}           | ${'2001:db8:1::2/64 fd12::1/64'}           | ${'fd12::1'}
    ${'10.1.0.9'}          | ${'192.0.2.1/24 10.1.0.1/16'}              | ${'10.1.0.1'}
    ${'198.51.100.1'}      | ${'192.0.2.1/24 10.1.0.1/16'}              | ${'192.0.2.1'}
    ${'198.51.100.1'}      | ${'fd12::1/64'}                            | ${undefined}
  `('to $dst from $from: $source', ({ dst, from, source }: { dst: string; from: string; source?: string }) => {
    expect(selectSource(candidates(from), IpAddress.parse(dst))?.address.toString()).toBe(source);
  });

  it('does not take a tentative address', () => {
    const [entry] = candidates('2001:db8::1/64');
    entry!.state = AddressState.TENTATIVE;
    expect(selectSource([entry!], IpAddress.parse('2001:db8::2'))).toBeUndefined();
  });
});
