import {
  EINVAL,
  ENOPROTOOPT,
  TCP_CORK,
  TCP_DEFER_ACCEPT,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_NO_COOKIE,
  TCP_INQ,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_LINGER2,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
  TCP_QUICKACK,
  TCP_SYNCNT,
  TCP_USER_TIMEOUT,
  TCP_WINDOW_CLAMP,
} from '@tsv/abi';
import type { TcpEndpoint } from '../tcp/tcp-endpoint.js';
import type { TcpOptions } from '../tcp/tcp-options.js';

/** Limits of tcp(7) and `do_tcp_setsockopt()`. */
const KEEP_SEC_MAX = 32_767;
const KEEP_COUNT_MAX = 127;
const SYN_COUNT_MAX = 127;
const MSS_MIN = 88;
const MSS_MAX = 32_767;
const WINDOW_MIN = 1_152;

/** Sets an option of level SOL_TCP. Errors: ENOPROTOOPT, EINVAL. The caller applies the options to the endpoint. */
export function setTcpOption(options: TcpOptions, endpoint: TcpEndpoint | null, name: number, value: number): number {
  switch (name) {
    case TCP_NODELAY:
      options.isNoDelay = value !== 0;
      return 0;
    case TCP_CORK:
      options.isCorked = value !== 0;
      return 0;
    case TCP_MAXSEG:
      if (value !== 0 && (value < MSS_MIN || value > MSS_MAX)) return -EINVAL;
      options.maxSegBytes = value;
      return 0;
    case TCP_QUICKACK:
      if (value !== 0) endpoint?.receiver.quickAck();
      return 0;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
      if (value < 1 || value > KEEP_SEC_MAX) return -EINVAL;
      if (name === TCP_KEEPIDLE) options.keepIdleMs = value * 1000;
      else options.keepIntervalMs = value * 1000;
      return 0;
    case TCP_KEEPCNT:
      if (value < 1 || value > KEEP_COUNT_MAX) return -EINVAL;
      options.keepCount = value;
      return 0;
    case TCP_SYNCNT:
      if (value < 1 || value > SYN_COUNT_MAX) return -EINVAL;
      options.synRetries = value;
      return 0;
    default:
      return setLimit(options, name, value);
  }
}

/** The value of an option of level SOL_TCP, or -ENOPROTOOPT. */
export function getTcpOption(options: TcpOptions, endpoint: TcpEndpoint | null, name: number): number {
  switch (name) {
    case TCP_NODELAY:
      return Number(options.isNoDelay);
    case TCP_CORK:
      return Number(options.isCorked);
    case TCP_MAXSEG:
      return endpoint === null ? options.maxSegBytes || MSS_DEFAULT : endpoint.sender.mssBytes;
    case TCP_QUICKACK:
      return Number(endpoint === null || !endpoint.receiver.isInteractive);
    case TCP_KEEPIDLE:
      return Math.floor(options.keepIdleMs / 1000);
    case TCP_KEEPINTVL:
      return Math.floor(options.keepIntervalMs / 1000);
    case TCP_KEEPCNT:
      return options.keepCount;
    case TCP_SYNCNT:
      return options.synRetries;
    case TCP_LINGER2:
      return options.linger2Ms < 0 ? -1 : Math.floor(options.linger2Ms / 1000);
    case TCP_DEFER_ACCEPT:
      return Math.floor(options.deferAcceptMs / 1000);
    case TCP_WINDOW_CLAMP:
      return options.windowClampBytes;
    case TCP_USER_TIMEOUT:
      return options.userTimeoutMs;
    case TCP_FASTOPEN:
      return options.fastOpenMax;
    case TCP_FASTOPEN_CONNECT:
      return Number(options.connectsFast);
    case TCP_FASTOPEN_NO_COOKIE:
      return Number(options.isFastOpenCookieless);
    case TCP_INQ:
      return Number(options.tellsInput);
    case TCP_NOTSENT_LOWAT:
      // A number of 32 bits without a sign, which getsockopt(2) tells as it was set.
      return options.notSentLowBytes === Infinity ? 0 : options.notSentLowBytes | 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** TCP_MSS_DEFAULT: what getsockopt says before there is a connection. */
const MSS_DEFAULT = 536;
const LINGER2_SEC_MAX = 120;

function setLimit(options: TcpOptions, name: number, value: number): number {
  switch (name) {
    case TCP_LINGER2:
      options.linger2Ms = value < 0 ? -1 : Math.min(value, LINGER2_SEC_MAX) * 1000;
      return 0;
    case TCP_DEFER_ACCEPT:
      options.deferAcceptMs = Math.max(value, 0) * 1000;
      return 0;
    case TCP_WINDOW_CLAMP:
      options.windowClampBytes = value === 0 ? 0 : Math.max(value, WINDOW_MIN);
      return 0;
    case TCP_USER_TIMEOUT:
      if (value < 0) return -EINVAL;
      options.userTimeoutMs = value;
      return 0;
    case TCP_INQ:
      if (value < 0 || value > 1) return -EINVAL;
      options.tellsInput = value === 1;
      return 0;
    case TCP_NOTSENT_LOWAT:
      options.notSentLowBytes = value === 0 ? Infinity : value >>> 0;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}
