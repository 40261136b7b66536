import {
  EACCES,
  ECONNREFUSED,
  EHOSTDOWN,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  ENONET,
  ENOPROTOOPT,
  EOPNOTSUPP,
  EPROTO,
} from '@tsv/abi';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { IpAddress } from '../wire/ip-address.js';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_PARAMETERPROB, ICMP_TIME_EXCEEDED } from '../wire/icmpv4.js';
import { ICMPV6_DEST_UNREACH, ICMPV6_PARAMPROB, ICMPV6_PKT_TOOBIG, ICMPV6_TIME_EXCEED } from '../wire/icmpv6.js';

/** Origins of errors, linux/errqueue.h. */
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;

/** An ICMP error about a packet that this stack sent. One object is reused: it is borrowed until the call returns. */
export class IcmpError {
  /** `SO_EE_ORIGIN_*`. */
  origin = SO_EE_ORIGIN_ICMP;
  type = 0;
  code = 0;
  /** The errno that it means, positive. */
  errno = 0;
  /** Whether it ends a connection or a connect attempt at once; others are only remembered (RFC 1122 section 4.2.3.9). */
  isHard = false;
  /** MTU of the next hop, or what a parameter problem points at. */
  info = 0;
  /** Who reported it. */
  offender = new IpAddress();
  /** Addresses of the packet that it is about: `src` is ours. */
  readonly src = new IpAddress();
  readonly dst = new IpAddress();
  protocol = 0;
  /** The error's packet; the quoted upper-layer header is `bytes[quoteAt..quoteEnd)`. */
  packet: PacketBuffer | null = null;
  quoteAt = 0;
  quoteEnd = 0;
}

/** Errors that are soft whatever the code. */
const TOO_BIG = EMSGSIZE;
const TIME_OVER = EHOSTUNREACH;
const UNREACHABLE = EHOSTUNREACH;

/** By code of ICMP_DEST_UNREACH, `icmp_err_convert` of Linux: the errno, negative if the error is hard. */
const DEST_UNREACH_ERRORS = [
  ENETUNREACH,
  EHOSTUNREACH,
  -ENOPROTOOPT,
  -ECONNREFUSED,
  EMSGSIZE,
  EOPNOTSUPP,
  -ENETUNREACH,
  -EHOSTDOWN,
  -ENONET,
  -ENETUNREACH,
  -EHOSTUNREACH,
  ENETUNREACH,
  EHOSTUNREACH,
  -EHOSTUNREACH,
  -EHOSTUNREACH,
  -EHOSTUNREACH,
];

/** By code of ICMPV6_DEST_UNREACH, `tab_unreach` of Linux. */
const DEST_UNREACH6_ERRORS = [ENETUNREACH, -EACCES, EHOSTUNREACH, EHOSTUNREACH, -ECONNREFUSED, -EACCES, -EACCES];

/** The errno of an ICMPv4 error, negative if it is hard; 0 if it is none that sockets hear of. */
export function errnoOfIcmp(type: number, code: number): number {
  switch (type) {
    case ICMP_DEST_UNREACH:
      return code === ICMP_FRAG_NEEDED ? TOO_BIG : (DEST_UNREACH_ERRORS[code] ?? 0);
    case ICMP_TIME_EXCEEDED:
      return TIME_OVER;
    case ICMP_PARAMETERPROB:
      return -EPROTO;
    default:
      return 0;
  }
}

/** The same of an ICMPv6 error. */
export function errnoOfIcmpv6(type: number, code: number): number {
  switch (type) {
    case ICMPV6_DEST_UNREACH:
      return DEST_UNREACH6_ERRORS[code] ?? UNREACHABLE;
    case ICMPV6_PKT_TOOBIG:
      return TOO_BIG;
    case ICMPV6_TIME_EXCEED:
      return TIME_OVER;
    case ICMPV6_PARAMPROB:
      return -EPROTO;
    default:
      return 0;
  }
}
