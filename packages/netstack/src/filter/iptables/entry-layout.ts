import { IpAddress, type IpPrefix } from '../../wire/ip-address.js';
import type { AddressMask, RuleHeader } from '../rule.js';
import { type Family } from './extension.js';

/** Offsets of `struct ipt_entry` and `struct ip6t_entry` on x86-64, with what they begin with. */
export interface EntryLayout {
  readonly bytes: number;
  readonly addressBytes: 4 | 16;
  /** Names of interfaces, and their masks behind them. */
  readonly interfaces: number;
  readonly protocol: number;
  readonly flags: number;
  readonly invertFlags: number;
  readonly targetOffset: number;
  readonly nextOffset: number;
  readonly counters: number;
  /** Flags: the rule has a protocol (IPv6), is for fragments (IPv4), jumps without coming back. */
  readonly flagProtocol: number;
  readonly flagFragment: number;
  readonly flagGoto: number;
}

export const ENTRY_LAYOUTS: Readonly<Record<Family, EntryLayout>> = {
  4: {
    bytes: 112,
    addressBytes: 4,
    interfaces: 16,
    protocol: 80,
    flags: 82,
    invertFlags: 83,
    targetOffset: 88,
    nextOffset: 90,
    counters: 96,
    flagProtocol: 0,
    flagFragment: 1,
    flagGoto: 2,
  },
  6: {
    bytes: 168,
    addressBytes: 16,
    interfaces: 64,
    protocol: 128,
    flags: 131,
    invertFlags: 132,
    targetOffset: 140,
    nextOffset: 142,
    counters: 152,
    flagProtocol: 1,
    flagFragment: 0,
    flagGoto: 4,
  },
};

const IFNAMSIZ = 16;
const INV_VIA_IN = 0x01;
const INV_VIA_OUT = 0x02;
const INV_SRC_IP = 0x08;
const INV_DST_IP = 0x10;
const INV_FRAGMENT = 0x20;
const INV_PROTO = 0x40;
const INV_KNOWN = INV_VIA_IN | INV_VIA_OUT | INV_SRC_IP | INV_DST_IP | INV_FRAGMENT | INV_PROTO;

/** A rule's header as an entry has it, and whether its jump is a goto. */
export interface EntryHeader {
  readonly header: RuleHeader;
  readonly isGoto: boolean;
}

/** Reads the header of the entry at `at`; undefined if it is invalid. */
export function loadHeader(view: DataView, at: number, family: Family): EntryHeader | undefined {
  const layout = ENTRY_LAYOUTS[family];
  const flags = view.getUint8(at + layout.flags);
  const inverted = view.getUint8(at + layout.invertFlags);
  if ((flags & ~(layout.flagProtocol | layout.flagFragment | layout.flagGoto)) !== 0) return undefined;
  if ((inverted & ~INV_KNOWN) !== 0 || (family === 6 && inverted & INV_FRAGMENT)) return undefined;
  const inInterface = loadInterface(view, at + layout.interfaces);
  const outInterface = loadInterface(view, at + layout.interfaces + IFNAMSIZ);
  if (inInterface === null || outInterface === null) return undefined;
  const hasProtocol = family === 4 || (flags & layout.flagProtocol) !== 0;
  const { addressBytes } = layout;
  const header: RuleHeader = {
    ...where('source', loadAddress(view, at, family), loadAddress(view, at + 2 * addressBytes, family)),
    ...where(
      'destination',
      loadAddress(view, at + addressBytes, family),
      loadAddress(view, at + 3 * addressBytes, family),
    ),
    ...(inInterface === '' ? {} : { inInterface }),
    ...(outInterface === '' ? {} : { outInterface }),
    ...(hasProtocol ? { protocol: view.getUint16(at + layout.protocol, true) } : {}),
    isSourceInverted: (inverted & INV_SRC_IP) !== 0,
    isDestinationInverted: (inverted & INV_DST_IP) !== 0,
    isInInverted: (inverted & INV_VIA_IN) !== 0,
    isOutInverted: (inverted & INV_VIA_OUT) !== 0,
    isProtocolInverted: (inverted & INV_PROTO) !== 0,
    isForFragments: (flags & layout.flagFragment) !== 0,
    isFragmentInverted: (inverted & INV_FRAGMENT) !== 0,
  };
  return { header, isGoto: (flags & layout.flagGoto) !== 0 };
}

/** Stores a header in an entry of zeros. */
export function storeHeader(view: DataView, at: number, family: Family, header: RuleHeader, isGoto: boolean): void {
  const layout = ENTRY_LAYOUTS[family];
  const { addressBytes } = layout;
  storeWhere(view, at, 2 * addressBytes, family, header.source);
  storeWhere(view, at + addressBytes, 2 * addressBytes, family, header.destination);
  storeInterface(view, at + layout.interfaces, header.inInterface ?? '');
  storeInterface(view, at + layout.interfaces + IFNAMSIZ, header.outInterface ?? '');
  const protocol = header.protocol ?? 0;
  view.setUint16(at + layout.protocol, protocol, true);
  const bit = (value: number, isSet: boolean | undefined): number => (isSet === true ? value : 0);
  view.setUint8(
    at + layout.flags,
    bit(layout.flagGoto, isGoto) |
      bit(layout.flagFragment, header.isForFragments) |
      (protocol === 0 ? 0 : layout.flagProtocol),
  );
  view.setUint8(
    at + layout.invertFlags,
    bit(INV_SRC_IP, header.isSourceInverted) |
      bit(INV_DST_IP, header.isDestinationInverted) |
      bit(INV_VIA_IN, header.isInInverted) |
      bit(INV_VIA_OUT, header.isOutInverted) |
      bit(INV_PROTO, header.isProtocolInverted) |
      bit(INV_FRAGMENT, header.isFragmentInverted),
  );
}

/** Whether an entry's header asks for nothing: those at the ends of chains must be so. */
export function isUnconditional(view: DataView, at: number, family: Family): boolean {
  const { targetOffset, flags } = ENTRY_LAYOUTS[family];
  // The bytes in front of `nfcache`, which is for the kernel.
  const end = family === 4 ? targetOffset - 4 : flags + 5;
  for (let i = 0; i < end; i++) if (view.getUint8(at + i) !== 0) return false;
  return true;
}

function loadAddress(view: DataView, at: number, family: Family): IpAddress {
  if (family === 4) return IpAddress.ipv4(view.getInt32(at));
  const word = (i: number): number => view.getInt32(at + i * 4);
  return new IpAddress(word(0), word(1), word(2), word(3));
}

/** The address as a prefix where the mask is one; nothing where the mask is empty. */
function where(
  field: 'source' | 'destination',
  address: IpAddress,
  mask: IpAddress,
): Partial<Record<'source' | 'destination', IpPrefix | AddressMask>> {
  const words = address.isIpv4 ? [mask.w3] : [mask.w0, mask.w1, mask.w2, mask.w3];
  if (words.every((word) => word === 0)) return {};
  let prefixLen = 0;
  for (const word of words) {
    prefixLen += Math.clz32(~word);
    if (word !== -1) break;
  }
  const isPrefix = words.every((word, i) => word === prefixWord(prefixLen - i * 32));
  return { [field]: isPrefix ? { address, prefixLen } : { address, mask } };
}

function storeWhere(
  view: DataView,
  at: number,
  maskOffset: number,
  family: Family,
  place: IpPrefix | AddressMask | undefined,
): void {
  if (place === undefined) return;
  const { address } = place;
  const words = family === 4 ? [address.w3] : [address.w0, address.w1, address.w2, address.w3];
  const masks =
    'prefixLen' in place
      ? words.map((_, i) => prefixWord(place.prefixLen - i * 32))
      : family === 4
        ? [place.mask.w3]
        : [place.mask.w0, place.mask.w1, place.mask.w2, place.mask.w3];
  for (const [i, word] of words.entries()) {
    view.setInt32(at + i * 4, word);
    view.setInt32(at + maskOffset + i * 4, masks[i]!);
  }
}

function prefixWord(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}

/** The name at `at`, with `+` where its mask ends before its NUL; null if the mask is no such thing. */
function loadInterface(view: DataView, at: number): string | null {
  const maskAt = at + 2 * IFNAMSIZ;
  let masked = 0;
  while (masked < IFNAMSIZ && view.getUint8(maskAt + masked) === 0xff) masked++;
  for (let i = masked; i < IFNAMSIZ; i++) if (view.getUint8(maskAt + i) !== 0) return null;
  let name = '';
  for (let i = 0; i < masked; i++) {
    const byte = view.getUint8(at + i);
    if (byte === 0) return i === masked - 1 ? name : null;
    name += String.fromCharCode(byte);
  }
  return masked === 0 ? '' : masked < IFNAMSIZ ? `${name}+` : null;
}

function storeInterface(view: DataView, at: number, name: string): void {
  const isPattern = name.endsWith('+');
  for (let i = 0; i < Math.min(name.length, IFNAMSIZ - 1); i++) view.setUint8(at + i, name.charCodeAt(i));
  const masked = name === '' ? 0 : isPattern ? name.length - 1 : name.length + 1;
  for (let i = 0; i < Math.min(masked, IFNAMSIZ); i++) view.setUint8(at + 2 * IFNAMSIZ + i, 0xff);
}
