import { DEFAULT_CONGESTION_CONTROL } from './congestion/registry.js';
import { FAST_OPEN_KEY_BYTES, FastOpenCookies, FastOpenPeers, FastOpenUse } from './fast-open.js';
import { Segment } from './segment.js';

/** What an administrator may set for all connections of a stack: net.ipv4.tcp_* of sysctl, with Linux's defaults. */
export class TcpSettings {
  /** tcp_sack, tcp_timestamps, tcp_window_scaling. */
  isSackOn = true;
  isTimestampsOn = true;
  isWindowScalingOn = true;
  /** tcp_ecn: 0 off, 1 ask for it and accept it, 2 accept it. */
  ecn: 0 | 1 | 2 = 2;
  /** tcp_frto. */
  isFrtoOn = true;
  /** tcp_syncookies: 0 never, 1 when the SYN queue is full, 2 always. */
  synCookies: 0 | 1 | 2 = 1;
  /** tcp_fastopen: bits of {@link FastOpenUse}. */
  fastOpen: number = FastOpenUse.CLIENT;
  /** tcp_congestion_control. */
  congestionControl = DEFAULT_CONGESTION_CONTROL;
  /** tcp_syn_retries, tcp_synack_retries, tcp_retries2, tcp_orphan_retries. */
  synRetries = 6;
  synAckRetries = 5;
  retries = 15;
  orphanRetries = 8;
  /** tcp_fin_timeout, and the length of TIME_WAIT. */
  finTimeoutMs = 60_000;
  timeWaitMs = 60_000;
  /** tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes. */
  keepIdleMs = 7_200_000;
  keepIntervalMs = 75_000;
  keepCount = 9;
  /** tcp_rmem and tcp_wmem: default and maximum. */
  receiveBytes = 131_072;
  receiveBytesMax = 6_291_456;
  sendBytes = 16_384;
  sendBytesMax = 4_194_304;
  /** tcp_invalid_ratelimit: least time between two answers to invalid segments of a connection. */
  invalidRateLimitMs = 500;
  /** tcp_challenge_ack_limit, a second, of all connections. */
  challengeAckLimit = 1000;
  /** tcp_mtu_probing: 0 off, 1 when a black hole is suspected, 2 always. */
  mtuProbing: 0 | 1 | 2 = 1;
  /** tcp_base_mss, tcp_min_snd_mss. */
  mtuProbeBaseMss = 1024;
  mssBytesMin = 48;
}

/** Source of 32 random bits. */
export interface RandomSource {
  u32(): number;
}

/** A keyed hash of words that an attacker cannot predict: SipHash of a secret in production. */
export interface KeyedHash {
  start(): void;
  add(word: number): void;
  /** Any 32-bit number. */
  finish(): number;
}

/** Counts of a stack, named as in /proc/net/snmp and /proc/net/netstat. */
export class TcpCounters {
  ActiveOpens = 0;
  PassiveOpens = 0;
  AttemptFails = 0;
  EstabResets = 0;
  CurrEstab = 0;
  InSegs = 0;
  OutSegs = 0;
  RetransSegs = 0;
  InErrs = 0;
  OutRsts = 0;
  SyncookiesSent = 0;
  SyncookiesRecv = 0;
  SyncookiesFailed = 0;
  ListenOverflows = 0;
  ListenDrops = 0;
  PAWSEstab = 0;
  TCPTimeouts = 0;
  TCPLossProbes = 0;
  TCPChallengeACK = 0;
  TCPSYNChallenge = 0;
  TCPAbortOnData = 0;
  TCPAbortOnClose = 0;
  TCPAbortOnTimeout = 0;
  TCPAbortOnLinger = 0;
  TCPKeepAlive = 0;
  TCPDeferAcceptDrop = 0;
  TCPFastOpenActive = 0;
  TCPFastOpenPassive = 0;
  TCPFastOpenCookieReqd = 0;
  DelayedACKs = 0;
  TW = 0;
}

/** Text of a segment that does not lie in one piece is put together here. */
const GATHER_BYTES = 65_536;

/** What all TCP endpoints of a stack share. */
export class TcpContext {
  readonly settings: TcpSettings;
  readonly random: RandomSource;
  readonly counters = new TcpCounters();
  /** The segment that is being sent. */
  readonly segment = new Segment();
  /** The time, as far as the endpoints were told. */
  nowMs = 0;
  readonly gatherBytes = new Uint8Array(GATHER_BYTES);
  /** What clients know of their peers. */
  readonly fastOpenPeers = new FastOpenPeers();
  #fastOpenKey: Uint8Array | null = null;
  #fastOpenCookies: FastOpenCookies | null = null;
  #challengeSecond = -1;
  #challengeCount = 0;

  constructor(random: RandomSource, settings = new TcpSettings()) {
    this.random = random;
    this.settings = settings;
  }

  /** tcp_fastopen_key: the key of listeners without one of their own, and maybe an older one. Random at first. */
  get fastOpenKey(): Uint8Array {
    if (this.#fastOpenKey !== null) return this.#fastOpenKey;
    const key = new Uint8Array(FAST_OPEN_KEY_BYTES);
    for (let i = 0; i < key.length; i++) key[i] = this.random.u32();
    this.#fastOpenKey = key;
    return key;
  }

  set fastOpenKey(key: Uint8Array) {
    this.#fastOpenKey = key;
    this.#fastOpenCookies = null;
  }

  get fastOpenCookies(): FastOpenCookies {
    this.#fastOpenCookies ??= new FastOpenCookies(this.fastOpenKey);
    return this.#fastOpenCookies;
  }

  /** Takes one of this second's challenge acknowledgements (RFC 5961 section 7); false if there is none left. */
  takeChallengeAck(nowMs: number): boolean {
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#challengeSecond) {
      this.#challengeSecond = second;
      // An attacker must not learn from the count whether a connection exists: it varies by half.
      const limit = this.settings.challengeAckLimit;
      this.#challengeCount = Math.ceil(limit / 2) + ((this.random.u32() >>> 0) % Math.max(1, limit));
    }
    if (this.#challengeCount === 0) return false;
    this.#challengeCount--;
    this.counters.TCPChallengeACK++;
    return true;
  }
}
