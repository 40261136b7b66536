import type { TcpSettings } from './tcp-settings.js';

/** What an application may set on a connection, or on a listener for the connections that it accepts: tcp(7). */
export class TcpOptions {
  /** TCP_NODELAY, TCP_CORK. */
  isNoDelay = false;
  isCorked = false;
  /** TCP_MAXSEG; 0 for what the path allows. */
  maxSegBytes = 0;
  /** SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT. */
  isKeepAlive = false;
  keepIdleMs: number;
  keepIntervalMs: number;
  keepCount: number;
  /** TCP_SYNCNT, TCP_USER_TIMEOUT (0: none), TCP_LINGER2 (negative: no FIN_WAIT2), TCP_DEFER_ACCEPT (0: off). */
  synRetries: number;
  userTimeoutMs = 0;
  linger2Ms: number;
  deferAcceptMs = 0;
  /** TCP_WINDOW_CLAMP; 0 for none. */
  windowClampBytes = 0;
  /** TCP_CONGESTION. */
  congestionControl: string;
  /** SO_RCVBUF, SO_SNDBUF: bytes of text; 0 while the stack tunes them. */
  receiveBytes = 0;
  sendBytes = 0;
  /** SO_MAX_PACING_RATE; 0 for none. */
  maxPacingBytesPerMs = 0;
  /** SO_OOBINLINE. */
  isUrgentInline = false;
  /** TCP_NOTSENT_LOWAT; Infinity for none. */
  notSentLowBytes = Infinity;
  /** TCP_FASTOPEN of a listener: pending fast opens that it accepts. */
  fastOpenMax = 0;
  /** TCP_FASTOPEN_KEY of a listener; null for the key of the stack. */
  fastOpenKey: Uint8Array | null = null;
  /** TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE. */
  connectsFast = false;
  isFastOpenCookieless = false;
  /** TCP_INQ: reads tell how much is left. */
  tellsInput = false;

  constructor(settings: TcpSettings) {
    this.keepIdleMs = settings.keepIdleMs;
    this.keepIntervalMs = settings.keepIntervalMs;
    this.keepCount = settings.keepCount;
    this.synRetries = settings.synRetries;
    this.linger2Ms = settings.finTimeoutMs;
    this.congestionControl = settings.congestionControl;
  }

  /** As {@link TcpOptions.of}, all in one object, which must not be changed. */
  static shared(settings: TcpSettings): TcpOptions {
    return defaultsOf(settings);
  }

  /** Those of a new connection. What nobody sets is read from one object that all connections share. */
  static of(settings: TcpSettings): TcpOptions {
    return Object.create(defaultsOf(settings)) as TcpOptions;
  }

  /** Options that say the same and may be changed. */
  clone(): TcpOptions {
    const parent = Object.getPrototypeOf(this) as TcpOptions;
    if (parent === TcpOptions.prototype) return Object.create(this) as TcpOptions;
    return Object.assign(Object.create(parent) as TcpOptions, this);
  }
}

const defaults = new WeakMap<TcpSettings, TcpOptions>();

/** The defaults that `settings` mean now; sockets that were made before keep theirs. */
function defaultsOf(settings: TcpSettings): TcpOptions {
  const known = defaults.get(settings);
  if (known !== undefined && isFrom(known, settings)) return known;
  const made = new TcpOptions(settings);
  defaults.set(settings, made);
  return made;
}

function isFrom(options: TcpOptions, settings: TcpSettings): boolean {
  return (
    options.keepIdleMs === settings.keepIdleMs &&
    options.keepIntervalMs === settings.keepIntervalMs &&
    options.keepCount === settings.keepCount &&
    options.synRetries === settings.synRetries &&
    options.linger2Ms === settings.finTimeoutMs &&
    options.congestionControl === settings.congestionControl
  );
}
