import fc from 'fast-check';
import { IpAddress, parsePrefix, solicitedNodeAddress } from './ip-address.js';
import { ethernetType, interfaceIdentifier, multicastLinkAddress, parseLinkAddress } from './ethernet.js';

const word = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });

describe('IpAddress', () => {
  it.each`
    text                                         | canonical
    ${'127.0.0.1'}                               | ${'127.0.0.1'}
    ${'255.255.255.255'}                         | ${'255.255.255.255'}
    ${'::'}                                      | ${'::'}
    ${'::1'}                                     | ${'::1'}
    ${'2001:DB8:0:0:0:0:2:1'}                    | ${'2001:db8::2:1'}
    ${'2001:db8:0:1:1:1:1:1'}                    | ${'2001:db8:0:1:1:1:1:1'}
    ${'2001:0:0:1:0:0:0:1'}                      | ${'2001:0:0:1::1'}
    ${'2001:db8:0:0:1:0:0:1'}                    | ${'2001:db8::1:0:0:1'}
    ${'fe80::'}                                  | ${'fe80::'}
    ${'::ffff:192.0.2.1'}                        | ${'192.0.2.1'}
    ${'64:ff9b::192.0.2.33'}                     | ${'64:ff9b::c000:221'}
    ${'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'} | ${'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'}
  `('reads $text and writes $canonical, RFC 5952', ({ text, canonical }: { text: string; canonical: string }) => {
    expect(IpAddress.parse(text).toString()).toBe(canonical);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.-4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3',
    'fe80::1%eth0',
  ])('refuses "%s"', (text) => {
    expect(IpAddress.tryParse(text)).toBeUndefined();
  });

  it('survives text and bytes', () => {
    fc.assert(
      fc.property(word, word, word, word, (w0, w1, w2, w3) => {
        const address = new IpAddress(w0, w1, w2, w3);
        const bytes = new Uint8Array(16);
        address.storeIpv6(bytes, 0);
        expect(IpAddress.parse(address.toString()).equals(address)).toBe(true);
        expect(IpAddress.fromBytes(bytes, 0, 16).equals(address)).toBe(true);
      }),
    );
  });

  it.each`
    text                 | is
    ${'0.0.0.0'}         | ${'Unspecified'}
    ${'::'}              | ${'Unspecified'}
    ${'127.9.9.9'}       | ${'Loopback'}
    ${'::1'}             | ${'Loopback'}
    ${'224.0.0.1'}       | ${'Multicast LocalMulticast'}
    ${'239.255.0.1'}     | ${'Multicast'}
    ${'ff02::1'}         | ${'Multicast LocalMulticast'}
    ${'ff05::1'}         | ${'Multicast'}
    ${'169.254.169.254'} | ${'LinkLocal'}
    ${'fe80::1'}         | ${'LinkLocal'}
    ${'febf::1'}         | ${'LinkLocal'}
    ${'fec0::1'}         | ${''}
    ${'255.255.255.255'} | ${'LimitedBroadcast'}
    ${'192.0.2.1'}       | ${''}
    ${'::127.0.0.1'}     | ${''}
  `('$text is "$is"', ({ text, is }: { text: string; is: string }) => {
    const address = IpAddress.parse(text);
    const kinds = ['Unspecified', 'Loopback', 'Multicast', 'LocalMulticast', 'LinkLocal', 'LimitedBroadcast'] as const;
    expect(kinds.filter((kind) => address[`is${kind}`]).join(' ')).toBe(is);
  });

  it.each(['10.0.0.1/33', '::/129', '10.0.0.1/-1', '10.0.0.1/x', '10.0.0/8'])('refuses the prefix %s', (text) => {
    expect(() => parsePrefix(text)).toThrow(RangeError);
  });

  it('makes the addresses that RFC 4291, 1112 and 2464 derive', () => {
    expect(String(solicitedNodeAddress(IpAddress.parse('4037::1:800:200e:8c6c')))).toBe('ff02::1:ff0e:8c6c');
    expect([...multicastLinkAddress(IpAddress.parse('239.129.2.3'))]).toEqual([0x01, 0x00, 0x5e, 1, 2, 3]);
    expect([...multicastLinkAddress(IpAddress.parse('ff02::1:ff0e:8c6c'))]).toEqual([
      0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c,
    ]);
    const id = interfaceIdentifier(parseLinkAddress('34:56:78:9a:bc:de'));
    expect(String(new IpAddress(0xfe800000, 0, ...id))).toBe('fe80::3656:78ff:fe9a:bcde');
    expect(
      ethernetType(
        Uint8Array.from({ length: 14 }, (_, i) => i),
        0,
      ),
    ).toBe(0x0c0d);
  });
});
