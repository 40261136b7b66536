import {
  EAGAIN,
  EALREADY,
  ECONNREFUSED,
  ECONNRESET,
  EHOSTUNREACH,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENETUNREACH,
  ENOTCONN,
  EPIPE,
  EPROTO,
  ETIMEDOUT,
} from '@tsv/abi';

/** Why a call on an endpoint failed, or a connection ended. Always negative, so that a byte count can be told apart. */
export const TcpError = {
  /** Nothing to read, no room to write, nothing to accept: try again. */
  WOULD_BLOCK: -1,
  NOT_CONNECTED: -2,
  IS_CONNECTED: -3,
  /** A connection attempt is under way. */
  ALREADY: -4,
  INVALID: -5,
  /** The peer refused the connection attempt. */
  REFUSED: -6,
  /** The peer reset the connection. */
  RESET: -7,
  /** Writing is over: shut down by us, or reset while the peer had closed. */
  PIPE: -8,
  TIMED_OUT: -9,
  HOST_UNREACHABLE: -10,
  NET_UNREACHABLE: -11,
  PROTOCOL: -12,
  MESSAGE_SIZE: -13,
} as const;
export type TcpError = (typeof TcpError)[keyof typeof TcpError];

/** The negated errno that Linux reports for `error`. */
export function errnoOfTcpError(error: TcpError): number {
  switch (error) {
    case TcpError.WOULD_BLOCK:
      return -EAGAIN;
    case TcpError.NOT_CONNECTED:
      return -ENOTCONN;
    case TcpError.IS_CONNECTED:
      return -EISCONN;
    case TcpError.ALREADY:
      return -EALREADY;
    case TcpError.INVALID:
      return -EINVAL;
    case TcpError.REFUSED:
      return -ECONNREFUSED;
    case TcpError.RESET:
      return -ECONNRESET;
    case TcpError.PIPE:
      return -EPIPE;
    case TcpError.TIMED_OUT:
      return -ETIMEDOUT;
    case TcpError.HOST_UNREACHABLE:
      return -EHOSTUNREACH;
    case TcpError.NET_UNREACHABLE:
      return -ENETUNREACH;
    case TcpError.PROTOCOL:
      return -EPROTO;
    case TcpError.MESSAGE_SIZE:
      return -EMSGSIZE;
  }
}
