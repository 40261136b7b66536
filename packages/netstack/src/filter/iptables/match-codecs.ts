import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../../wire/protocol.js';
import { CtState } from '../conntrack.js';
import {
  AddressTypeMatch,
  CommentMatch,
  ConnectionMarkMatch,
  IcmpMatch,
  LimitMatch,
  MarkMatch,
  MultiportMatch,
  OwnerMatch,
  PortMatch,
  type PortRange,
  StateMatch,
} from '../matches.js';
import { aligned, BOTH, type ExtensionData, loadText, type MatchCodec, storeText } from './extension.js';
import { conntrackCodecs } from './conntrack-codecs.js';

const PORT_MAX = 65_535;

/** `struct xt_tcp`: invflags. */
const XT_TCP_INV_SRCPT = 1;
const XT_TCP_INV_DSTPT = 2;
const XT_TCP_INV_FLAGS = 4;
const XT_TCP_INV_OPTION = 8;

const tcp: MatchCodec = {
  name: 'tcp',
  revision: 0,
  families: BOTH,
  bytes: () => aligned(12),
  decode(data, _family, protocol) {
    const { view, at } = data;
    const invert = view.getUint8(at + 11);
    if (protocol !== IPPROTO_TCP || (invert & ~0xf) !== 0) return undefined;
    const flags = {
      mask: view.getUint8(at + 9),
      value: view.getUint8(at + 10),
      isInverted: (invert & XT_TCP_INV_FLAGS) !== 0,
    };
    const option = { kind: view.getUint8(at + 8), isInverted: (invert & XT_TCP_INV_OPTION) !== 0 };
    const [source, destination] = loadPorts(data, invert);
    return new PortMatch(source, destination, flags.mask, flags.value, {
      protocol: IPPROTO_TCP,
      areFlagsInverted: flags.isInverted,
      option: option.kind,
      isOptionInverted: option.isInverted,
    });
  },
  encode(data, match) {
    if (!(match instanceof PortMatch) || match.protocol !== IPPROTO_TCP) return false;
    const { view, at } = data;
    let invert = storePorts(data, match);
    view.setUint8(at + 8, match.option);
    view.setUint8(at + 9, match.flagsMask);
    view.setUint8(at + 10, match.flags);
    if (match.areFlagsInverted) invert |= XT_TCP_INV_FLAGS;
    if (match.isOptionInverted) invert |= XT_TCP_INV_OPTION;
    view.setUint8(at + 11, invert);
    return true;
  },
};

const udp: MatchCodec = {
  name: 'udp',
  revision: 0,
  families: BOTH,
  bytes: () => aligned(10),
  decode(data, _family, protocol) {
    const invert = data.view.getUint8(data.at + 8);
    if (protocol !== IPPROTO_UDP || (invert & ~3) !== 0) return undefined;
    const [source, destination] = loadPorts(data, invert);
    return new PortMatch(source, destination, 0, 0, { protocol: IPPROTO_UDP });
  },
  encode(data, match) {
    if (!(match instanceof PortMatch) || match.protocol !== IPPROTO_UDP) return false;
    data.view.setUint8(data.at + 8, storePorts(data, match));
    return true;
  },
};

/** The two ranges that `struct xt_tcp` and `struct xt_udp` start with. */
function loadPorts({ view, at }: ExtensionData, invert: number): [PortRange, PortRange] {
  const range = (offset: number, isInverted: boolean): PortRange => ({
    min: view.getUint16(at + offset, true),
    max: view.getUint16(at + offset + 2, true),
    isInverted,
  });
  return [range(0, (invert & XT_TCP_INV_SRCPT) !== 0), range(4, (invert & XT_TCP_INV_DSTPT) !== 0)];
}

function storePorts({ view, at }: ExtensionData, match: PortMatch): number {
  const store = (offset: number, range: PortRange | null): void => {
    view.setUint16(at + offset, range?.min ?? 0, true);
    view.setUint16(at + offset + 2, range?.max ?? PORT_MAX, true);
  };
  store(0, match.source);
  store(4, match.destination);
  return (
    (match.source?.isInverted === true ? XT_TCP_INV_SRCPT : 0) |
    (match.destination?.isInverted === true ? XT_TCP_INV_DSTPT : 0)
  );
}

/** `struct ipt_icmp` and `struct ip6t_icmp`. */
function icmpCodec(name: string, protocol: number): MatchCodec {
  return {
    name,
    revision: 0,
    families: [protocol === IPPROTO_ICMP ? 4 : 6],
    bytes: () => aligned(4),
    decode({ view, at }, _family, of) {
      const invert = view.getUint8(at + 3);
      if (of !== protocol || invert > 1) return undefined;
      return new IcmpMatch(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), invert === 1);
    },
    encode({ view, at }, match, family) {
      if (!(match instanceof IcmpMatch) || (family === 4) !== (protocol === IPPROTO_ICMP)) return false;
      view.setUint8(at, match.type);
      view.setUint8(at + 1, match.codeMin);
      view.setUint8(at + 2, match.codeMax);
      view.setUint8(at + 3, Number(match.isInverted));
      return true;
    },
  };
}

const MULTIPORT_WHERE = ['source', 'destination', 'either'] as const;
const MULTIPORT_COUNT_MAX = 15;

/** `struct xt_multiport`, and `struct xt_multiport_v1`, which has ranges: a port with a flag begins one. */
function multiportCodec(revision: 0 | 1): MatchCodec {
  return {
    name: 'multiport',
    revision,
    families: BOTH,
    bytes: () => aligned(revision === 0 ? 32 : 48),
    decode({ view, at }) {
      const where = MULTIPORT_WHERE[view.getUint8(at)];
      const count = view.getUint8(at + 1);
      if (where === undefined || count > MULTIPORT_COUNT_MAX) return undefined;
      const ranges: PortRange[] = [];
      for (let i = 0; i < count; i++) {
        const min = view.getUint16(at + 2 + i * 2, true);
        const isRange = revision === 1 && view.getUint8(at + 32 + i) !== 0;
        if (isRange && ++i >= count) return undefined;
        ranges.push({ min, max: view.getUint16(at + 2 + i * 2, true) });
      }
      return new MultiportMatch(where, ranges, revision === 1 && view.getUint8(at + 47) !== 0);
    },
    encode({ view, at }, match) {
      if (!(match instanceof MultiportMatch) || revision === 0) return false;
      let count = 0;
      const put = (port: number, beginsRange: boolean): void => {
        view.setUint16(at + 2 + count * 2, port, true);
        view.setUint8(at + 32 + count++, Number(beginsRange));
      };
      for (const { min, max } of match.ranges) {
        if (count + (min === max ? 1 : 2) > MULTIPORT_COUNT_MAX) return false;
        if (min !== max) put(min, true);
        put(max, false);
      }
      view.setUint8(at, MULTIPORT_WHERE.indexOf(match.where));
      view.setUint8(at + 1, count);
      view.setUint8(at + 47, Number(match.isInverted));
      return true;
    },
  };
}

/** `struct xt_state_info`; its bits are those of conntrack's, but for UNTRACKED. */
const XT_STATE_UNTRACKED = 1 << 6;
const state: MatchCodec = {
  name: 'state',
  revision: 0,
  families: BOTH,
  bytes: () => aligned(4),
  decode({ view, at }) {
    const mask = view.getUint32(at, true);
    let states = 0;
    for (const [bit, value] of STATE_BITS) if (mask & bit) states |= value;
    return new StateMatch(states);
  },
  encode({ view, at }, match) {
    if (!(match instanceof StateMatch)) return false;
    let mask = 0;
    for (const [bit, value] of STATE_BITS) if (match.states & value) mask |= bit;
    view.setUint32(at, mask, true);
    return true;
  },
};
const STATE_BITS: readonly (readonly [number, number])[] = [
  [1, CtState.INVALID],
  [2, CtState.ESTABLISHED],
  [4, CtState.RELATED],
  [8, CtState.NEW],
  [XT_STATE_UNTRACKED, CtState.UNTRACKED],
];

/** `struct xt_mark_mtinfo1`, and `struct xt_connmark_mtinfo1`, which is the same. */
function markCodec(name: string, kind: typeof MarkMatch | typeof ConnectionMarkMatch): MatchCodec {
  return {
    name,
    revision: 1,
    families: BOTH,
    bytes: () => aligned(12),
    decode: ({ view, at }) =>
      new kind(view.getUint32(at, true) | 0, view.getUint32(at + 4, true) | 0, view.getUint8(at + 8) !== 0),
    encode({ view, at }, match) {
      if (!(match instanceof kind)) return false;
      view.setInt32(at, match.value, true);
      view.setInt32(at + 4, match.mask, true);
      view.setUint8(at + 8, Number(match.isInverted));
      return true;
    },
  };
}

/** `struct xt_rateinfo`: the average is the time of one packet, in ten thousandths of a second. */
const XT_LIMIT_SCALE = 10_000;
const limit: MatchCodec = {
  name: 'limit',
  revision: 0,
  families: BOTH,
  bytes: () => aligned(40),
  decode({ view, at }) {
    const [average, burst] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    if (average === 0 || burst === 0) return undefined;
    return new LimitMatch(XT_LIMIT_SCALE / average, burst);
  },
  encode({ view, at }, match) {
    if (!(match instanceof LimitMatch)) return false;
    view.setUint32(at, Math.max(1, Math.round(XT_LIMIT_SCALE / match.perSec)), true);
    view.setUint32(at + 4, match.burst, true);
    return true;
  },
};

/** `struct xt_owner_match_info`. */
const XT_OWNER_UID = 1;
const XT_OWNER_GID = 2;
const XT_OWNER_SOCKET = 4;
const owner: MatchCodec = {
  name: 'owner',
  revision: 1,
  families: BOTH,
  bytes: () => aligned(18),
  decode({ view, at }) {
    const [match, invert] = [view.getUint8(at + 16), view.getUint8(at + 17)];
    if ((match & ~(XT_OWNER_UID | XT_OWNER_GID | XT_OWNER_SOCKET)) !== 0) return undefined;
    const range = (bit: number, offset: number): PortRange | null => {
      if (!(match & bit)) return null;
      const [min, max] = [view.getUint32(at + offset, true), view.getUint32(at + offset + 4, true)];
      return { min, max, isInverted: (invert & bit) !== 0 };
    };
    const needsSocket = (match & XT_OWNER_SOCKET) === 0 ? null : (invert & XT_OWNER_SOCKET) === 0;
    return new OwnerMatch(range(XT_OWNER_UID, 0), range(XT_OWNER_GID, 8), needsSocket);
  },
  encode({ view, at }, match) {
    if (!(match instanceof OwnerMatch)) return false;
    let [bits, invert] = [0, 0];
    const store = (bit: number, offset: number, range: PortRange | null): void => {
      if (range === null) return;
      bits |= bit;
      if (range.isInverted === true) invert |= bit;
      view.setUint32(at + offset, range.min, true);
      view.setUint32(at + offset + 4, range.max, true);
    };
    store(XT_OWNER_UID, 0, match.uids);
    store(XT_OWNER_GID, 8, match.gids);
    if (match.needsSocket !== null) bits |= XT_OWNER_SOCKET;
    if (match.needsSocket === false) invert |= XT_OWNER_SOCKET;
    view.setUint8(at + 16, bits);
    view.setUint8(at + 17, invert);
    return true;
  },
};

const COMMENT_BYTES = 256;
const comment: MatchCodec = {
  name: 'comment',
  revision: 0,
  families: BOTH,
  bytes: () => COMMENT_BYTES,
  decode: (data) => new CommentMatch(loadText(data, 0, COMMENT_BYTES - 1)),
  encode(data, match) {
    if (!(match instanceof CommentMatch)) return false;
    storeText(data, 0, COMMENT_BYTES, match.text);
    return true;
  },
};

/** `struct xt_addrtype_info_v1`. */
const XT_ADDRTYPE_INVERT_SOURCE = 1;
const XT_ADDRTYPE_INVERT_DEST = 2;
const addrtype: MatchCodec = {
  name: 'addrtype',
  revision: 1,
  families: BOTH,
  bytes: () => aligned(8),
  decode({ view, at }) {
    const flags = view.getUint32(at + 4, true);
    if ((flags & ~(XT_ADDRTYPE_INVERT_SOURCE | XT_ADDRTYPE_INVERT_DEST)) !== 0) return undefined;
    const isInverted: [boolean, boolean] = [
      (flags & XT_ADDRTYPE_INVERT_SOURCE) !== 0,
      (flags & XT_ADDRTYPE_INVERT_DEST) !== 0,
    ];
    return new AddressTypeMatch(view.getUint16(at, true), view.getUint16(at + 2, true), ...isInverted);
  },
  encode({ view, at }, match) {
    if (!(match instanceof AddressTypeMatch)) return false;
    view.setUint16(at, match.sources, true);
    view.setUint16(at + 2, match.destinations, true);
    const source = match.isSourceInverted ? XT_ADDRTYPE_INVERT_SOURCE : 0;
    view.setUint32(at + 4, source | (match.isDestinationInverted ? XT_ADDRTYPE_INVERT_DEST : 0), true);
    return true;
  },
};

/** The matches that there are; of several revisions of one, the last is what is told. */
export const MATCH_CODECS: readonly MatchCodec[] = [
  tcp,
  udp,
  icmpCodec('icmp', IPPROTO_ICMP),
  icmpCodec('icmp6', IPPROTO_ICMPV6),
  multiportCodec(0),
  multiportCodec(1),
  state,
  ...conntrackCodecs(),
  markCodec('mark', MarkMatch),
  markCodec('connmark', ConnectionMarkMatch),
  limit,
  owner,
  comment,
  addrtype,
];
