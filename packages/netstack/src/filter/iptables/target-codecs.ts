import { IPV4_ANY, IPV6_ANY, IpAddress } from '../../wire/ip-address.js';
import type { RejectKind } from '../rejecter.js';
import type { Target } from '../rule.js';
import { aligned, BOTH, type ExtensionData, type Family, loadText, storeText, type TargetCodec } from './extension.js';

/** `enum ipt_reject_with` and `enum ip6t_reject_with`. */
const REJECTS: Readonly<Record<Family, readonly (RejectKind | null)[]>> = {
  4: ['net', 'host', 'protocol', 'port', null, 'net-prohibited', 'host-prohibited', 'tcp-reset', 'admin'],
  6: ['net', 'admin', 'not-neighbour', 'host', 'port', null, 'tcp-reset', 'policy-fail', 'reject-route'],
};

const reject: TargetCodec = {
  name: 'REJECT',
  revision: 0,
  families: BOTH,
  bytes: () => aligned(4),
  decode({ view, at }, family) {
    const kind = REJECTS[family][view.getUint32(at, true)] ?? null;
    return kind === null ? undefined : { kind: 'REJECT', with: kind };
  },
  encode({ view, at }, target, family) {
    if (target.kind !== 'REJECT') return false;
    const index = REJECTS[family].indexOf(target.with);
    view.setUint32(at, Math.max(index, 0), true);
    return index >= 0;
  },
};

/** `struct xt_mark_tginfo2`. */
const mark: TargetCodec = {
  name: 'MARK',
  revision: 2,
  families: BOTH,
  bytes: () => aligned(8),
  decode: ({ view, at }) => ({ kind: 'MARK', value: view.getInt32(at, true), mask: view.getInt32(at + 4, true) }),
  encode({ view, at }, target) {
    if (target.kind !== 'MARK') return false;
    view.setInt32(at, target.value, true);
    view.setInt32(at + 4, target.mask, true);
    return true;
  },
};

const CONNMARK_MODES = ['set', 'save', 'restore'] as const;

/** `struct xt_connmark_tginfo1`, and 2, which may shift. */
function connmarkCodec(revision: 1 | 2): TargetCodec {
  const modeAt = revision === 1 ? 12 : 14;
  return {
    name: 'CONNMARK',
    revision,
    families: BOTH,
    bytes: () => aligned(modeAt + 1),
    decode({ view, at }) {
      const operation = CONNMARK_MODES[view.getUint8(at + modeAt)];
      const isShifted = revision === 2 && view.getUint8(at + 13) !== 0;
      if (operation === undefined || isShifted) return undefined;
      const [value, ctMask, nfMask] = [0, 4, 8].map((offset) => view.getInt32(at + offset, true)) as [
        number,
        number,
        number,
      ];
      return { kind: 'CONNMARK', operation, value, ctMask, nfMask };
    },
    encode({ view, at }, target) {
      if (target.kind !== 'CONNMARK' || revision === 1) return false;
      view.setInt32(at, target.value, true);
      view.setInt32(at + 4, target.ctMask ?? -1, true);
      view.setInt32(at + 8, target.nfMask ?? -1, true);
      view.setUint8(at + modeAt, CONNMARK_MODES.indexOf(target.operation));
      return true;
    },
  };
}

/** `struct xt_log_info`: level, flags, prefix. */
const LOG_PREFIX_BYTES = 30;
const log: TargetCodec = {
  name: 'LOG',
  revision: 0,
  families: BOTH,
  bytes: () => aligned(2 + LOG_PREFIX_BYTES),
  decode(data) {
    const level = data.view.getUint8(data.at);
    if (level > 7) return undefined;
    return {
      kind: 'LOG',
      prefix: loadText(data, 2, LOG_PREFIX_BYTES - 1),
      level,
      flags: data.view.getUint8(data.at + 1),
    };
  },
  encode(data, target) {
    if (target.kind !== 'LOG') return false;
    data.view.setUint8(data.at, target.level ?? LOG_LEVEL_WARNING);
    data.view.setUint8(data.at + 1, target.flags ?? 0);
    storeText(data, 2, LOG_PREFIX_BYTES, target.prefix);
    return true;
  },
};
const LOG_LEVEL_WARNING = 4;

const notrack: TargetCodec = {
  name: 'NOTRACK',
  revision: 0,
  families: BOTH,
  bytes: () => 0,
  decode: () => ({ kind: 'NOTRACK' }),
  encode: () => false,
};

/** `struct xt_ct_target_info`, and `_v1` of revisions 1 and 2: of all that CT can do, not to track. */
const XT_CT_NOTRACK = 1;
const XT_CT_NOTRACK_ALIAS = 2;
function ctCodec(revision: 0 | 1 | 2): TargetCodec {
  const bytes = revision === 0 ? 40 : 72;
  return {
    name: 'CT',
    revision,
    families: BOTH,
    bytes: () => bytes,
    decode({ view, at }) {
      const flags = view.getUint16(at, true);
      if ((flags & XT_CT_NOTRACK) === 0 || (flags & ~(XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS)) !== 0) return undefined;
      return { kind: 'NOTRACK', isAlias: (flags & XT_CT_NOTRACK_ALIAS) !== 0 };
    },
    encode({ view, at }, target) {
      if (target.kind !== 'NOTRACK' || revision !== 2) return false;
      view.setUint16(at, XT_CT_NOTRACK | (target.isAlias === true ? XT_CT_NOTRACK_ALIAS : 0), true);
      return true;
    },
  };
}

/** Bits of a range's flags, linux/netfilter/nf_nat.h. */
const NF_NAT_RANGE_MAP_IPS = 1;
const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
const NF_NAT_RANGE_PROTO_RANDOM = 4;
const NF_NAT_RANGE_PERSISTENT = 8;
const NF_NAT_RANGE_PROTO_RANDOM_FULLY = 16;
const NF_NAT_RANGE_HOW = NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PERSISTENT | NF_NAT_RANGE_PROTO_RANDOM_FULLY;

type NatKind = 'DNAT' | 'SNAT' | 'MASQUERADE' | 'REDIRECT';

/** Addresses and ports of a target of the nat table; without addresses the family's unspecified one. */
interface NatRange {
  readonly address: IpAddress;
  readonly addressMax: IpAddress;
  /** In host order; 0 for none. */
  readonly portMin: number;
  readonly portMax: number;
  readonly flags: number;
}

/** `struct nf_nat_ipv4_multi_range_compat` with one range: 24 bytes. */
const COMPAT_BYTES = 24;

function loadCompat({ view, at }: ExtensionData): NatRange | undefined {
  const flags = view.getUint32(at + 4, true);
  if (view.getUint32(at, true) !== 1) return undefined;
  return {
    flags,
    address: IpAddress.ipv4(view.getInt32(at + 8)),
    addressMax: IpAddress.ipv4(view.getInt32(at + 12)),
    portMin: view.getUint16(at + 16),
    portMax: view.getUint16(at + 18),
  };
}

function storeCompat({ view, at }: ExtensionData, range: NatRange): void {
  view.setUint32(at, 1, true);
  view.setUint32(at + 4, range.flags, true);
  view.setInt32(at + 8, range.address.w3);
  view.setInt32(at + 12, range.addressMax.w3);
  view.setUint16(at + 16, range.portMin);
  view.setUint16(at + 18, range.portMax);
}

/** `struct nf_nat_range`, 40 bytes, and `struct nf_nat_range2`, 48, whose base port must be 0. */
const RANGE_BYTES = 40;
const RANGE2_BYTES = 48;

function loadRange({ view, at, len }: ExtensionData, family: Family): NatRange | undefined {
  if (len === RANGE2_BYTES && view.getUint16(at + RANGE_BYTES) !== 0) return undefined;
  const address = (offset: number): IpAddress => {
    const word = (i: number): number => view.getInt32(at + offset + i * 4);
    return family === 4 ? IpAddress.ipv4(word(0)) : new IpAddress(word(0), word(1), word(2), word(3));
  };
  return {
    flags: view.getUint32(at, true),
    address: address(4),
    addressMax: address(20),
    portMin: view.getUint16(at + 36),
    portMax: view.getUint16(at + 38),
  };
}

function storeRange({ view, at }: ExtensionData, range: NatRange, family: Family): void {
  view.setUint32(at, range.flags, true);
  for (const [offset, { w0, w1, w2, w3 }] of [
    [4, range.address],
    [20, range.addressMax],
  ] as const) {
    const words = family === 4 ? [w3] : [w0, w1, w2, w3];
    for (const [i, word] of words.entries()) view.setInt32(at + offset + i * 4, word);
  }
  view.setUint16(at + 36, range.portMin);
  view.setUint16(at + 38, range.portMax);
}

type NatLayout = 'compat' | 'range' | 'range2';

function natCodec(
  kind: NatKind,
  revision: number,
  families: readonly Family[],
  layout: (family: Family) => NatLayout,
  isTold = true,
): TargetCodec {
  const bytesOf = { compat: COMPAT_BYTES, range: RANGE_BYTES, range2: RANGE2_BYTES };
  return {
    name: kind,
    revision,
    families,
    bytes: (family) => bytesOf[layout(family)],
    decode(data, family) {
      const range = layout(family) === 'compat' ? loadCompat(data) : loadRange(data, family);
      return range === undefined ? undefined : targetOf(kind, range);
    },
    encode(data, target, family) {
      if (target.kind !== kind || !isTold) return false;
      const range = rangeOf(target, family);
      if (layout(family) === 'compat') storeCompat(data, range);
      else storeRange(data, range, family);
      return true;
    },
  };
}

function targetOf(kind: NatKind, range: NatRange): Target | undefined {
  const { flags, address, addressMax } = range;
  const known = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED | NF_NAT_RANGE_HOW;
  if ((flags & ~known) !== 0) return undefined;
  const hasAddress = (flags & NF_NAT_RANGE_MAP_IPS) !== 0;
  const hasPorts = (flags & NF_NAT_RANGE_PROTO_SPECIFIED) !== 0;
  if (hasPorts && (range.portMin === 0 || range.portMin > range.portMax)) return undefined;
  const [portMin, portMax] = hasPorts ? [range.portMin, range.portMax] : [0, 0];
  const how = flags & NF_NAT_RANGE_HOW;
  switch (kind) {
    case 'DNAT':
    case 'SNAT':
      // Without an address only ports change.
      if (hasAddress && (address.isUnspecified || isAbove(address, addressMax))) return undefined;
      if (!hasAddress && !hasPorts) return undefined;
      if (kind === 'SNAT') return { kind, address, addressMax, portMin, portMax, how };
      return { kind, address, addressMax, port: portMin, portMax, how };
    case 'MASQUERADE':
      return hasAddress && !address.isUnspecified ? undefined : { kind, portMin, portMax, how };
    case 'REDIRECT':
      return { kind, port: portMin, portMax, how };
  }
}

function isAbove(a: IpAddress, b: IpAddress): boolean {
  for (const word of ['w0', 'w1', 'w2', 'w3'] as const) if (a[word] !== b[word]) return a[word] >>> 0 > b[word] >>> 0;
  return false;
}

function rangeOf(target: Extract<Target, { kind: NatKind }>, family: Family): NatRange {
  const none = family === 4 ? IPV4_ANY : IPV6_ANY;
  const address = 'address' in target ? target.address : none;
  const addressMax = 'address' in target ? (target.addressMax ?? target.address) : none;
  const portMin = 'port' in target ? target.port : target.portMin;
  const portMax = portMin === 0 ? 0 : (target.portMax ?? portMin);
  const flags =
    (!address.isUnspecified ? NF_NAT_RANGE_MAP_IPS : 0) |
    (portMin === 0 ? 0 : NF_NAT_RANGE_PROTO_SPECIFIED) |
    (target.how ?? 0);
  return { flags, address, addressMax, portMin, portMax };
}

/** The targets that there are, without those of every table; of several revisions of one, the last is what is told. */
export const TARGET_CODECS: readonly TargetCodec[] = [
  reject,
  mark,
  connmarkCodec(1),
  connmarkCodec(2),
  log,
  notrack,
  ctCodec(0),
  ctCodec(1),
  ctCodec(2),
  natCodec('DNAT', 0, [4], () => 'compat', false),
  natCodec('DNAT', 1, BOTH, () => 'range', false),
  natCodec('DNAT', 2, BOTH, () => 'range2'),
  natCodec('SNAT', 0, [4], () => 'compat'),
  natCodec('SNAT', 1, BOTH, () => 'range'),
  natCodec('REDIRECT', 0, BOTH, (family) => (family === 4 ? 'compat' : 'range')),
  natCodec('MASQUERADE', 0, BOTH, (family) => (family === 4 ? 'compat' : 'range')),
];
