import { IpAddress } from '../../wire/ip-address.js';
import { ConntrackMatch, type EndpointCondition } from '../conntrack-match.js';
import { aligned, BOTH, type ExtensionData, type Family, type MatchCodec } from './extension.js';

/** Bytes of `struct xt_conntrack_mtinfo1` to 3. */
const BYTES = { 1: 152, 2: 156, 3: 164 } as const;
const ADDRESS_BYTES = 16;
const EXPIRES_MIN = 128;
const L4PROTO = 136;
const PORTS = 138;
const MATCH_FLAGS = 146;
const STATE_MASK = 150;
const PORTS_HIGH = 154;
const END_COUNT = 4;

/** Match `conntrack`: `struct xt_conntrack_mtinfo1` to 3, linux/netfilter/xt_conntrack.h. */
export function conntrackCodecs(): MatchCodec[] {
  return ([1, 2, 3] as const).map((revision) => ({
    name: 'conntrack',
    revision,
    families: BOTH,
    bytes: () => aligned(BYTES[revision]),
    decode: (data, family) => decode(data, family, revision),
    encode(data, match, family) {
      if (!(match instanceof ConntrackMatch) || revision !== 3) return false;
      encode(data, match, family);
      return true;
    },
  }));
}

function decode({ view, at }: ExtensionData, family: Family, revision: 1 | 2 | 3): ConntrackMatch {
  const address = (index: number): IpAddress => {
    const from = at + index * ADDRESS_BYTES;
    const word = (i: number): number => view.getInt32(from + i * 4);
    return family === 4 ? IpAddress.ipv4(word(0)) : new IpAddress(word(0), word(1), word(2), word(3));
  };
  const ends: EndpointCondition[] = [];
  for (let i = 0; i < END_COUNT; i++) {
    // Only the third revision has ranges, and its ports in the machine's order.
    const portMin = view.getUint16(at + PORTS + i * 2, revision === 3);
    const portMax = revision === 3 ? view.getUint16(at + PORTS_HIGH + i * 2, true) : portMin;
    ends.push({ address: address(i * 2), mask: address(i * 2 + 1), portMin, portMax });
  }
  const states = revision === 1 ? view.getUint8(at + STATE_MASK) : view.getUint16(at + STATE_MASK, true);
  const statuses = revision === 1 ? view.getUint8(at + STATE_MASK + 1) : view.getUint16(at + STATE_MASK + 2, true);
  return new ConntrackMatch({
    flags: view.getUint16(at + MATCH_FLAGS, true),
    inverted: view.getUint16(at + MATCH_FLAGS + 2, true),
    states,
    statuses,
    protocol: view.getUint16(at + L4PROTO, true),
    expiresMinSec: view.getUint32(at + EXPIRES_MIN, true),
    expiresMaxSec: view.getUint32(at + EXPIRES_MIN + 4, true),
    ends,
  });
}

function encode({ view, at }: ExtensionData, match: ConntrackMatch, family: Family): void {
  const { condition } = match;
  const store = (index: number, address: IpAddress): void => {
    const words = family === 4 ? [address.w3] : [address.w0, address.w1, address.w2, address.w3];
    for (const [i, word] of words.entries()) view.setInt32(at + index * ADDRESS_BYTES + i * 4, word);
  };
  for (const [i, end] of condition.ends.entries()) {
    store(i * 2, end.address);
    store(i * 2 + 1, end.mask);
    view.setUint16(at + PORTS + i * 2, end.portMin, true);
    view.setUint16(at + PORTS_HIGH + i * 2, end.portMax, true);
  }
  view.setUint32(at + EXPIRES_MIN, condition.expiresMinSec, true);
  view.setUint32(at + EXPIRES_MIN + 4, condition.expiresMaxSec, true);
  view.setUint16(at + L4PROTO, condition.protocol, true);
  view.setUint16(at + MATCH_FLAGS, condition.flags, true);
  view.setUint16(at + MATCH_FLAGS + 2, condition.inverted, true);
  view.setUint16(at + STATE_MASK, condition.states, true);
  view.setUint16(at + STATE_MASK + 2, condition.statuses, true);
}
