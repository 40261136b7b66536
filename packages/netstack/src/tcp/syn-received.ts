import type { IpAddress } from '../wire/ip-address.js';

/** What a listener remembers of a handshake until its last acknowledgement: a request sock in Linux. */
export class SynReceived {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  iss = 0;
  irs = 0;
  tsOffset = 0;
  /** What the peer's SYN offered, cut down to what we take. */
  mss = 0;
  /** The MSS that we offer. */
  ourMss = 0;
  windowShift = -1;
  ourWindowShift = -1;
  isSackPermitted = false;
  hasTimestamps = false;
  tsRecent = 0;
  isEcnUsed = false;
  /** Window that our SYN-ACK offered. */
  windowBytes = 0;
  /** Window that the peer's last segment offered, scaled. */
  peerWindowBytes = 0;
  /** SYN-ACKs sent. */
  synAckCount = 0;
  sentMs = 0;
  expiresMs = 0;
  /** When to send the SYN-ACK again. */
  retryAtMs = 0;
  /** The handshake's last acknowledgement came, but TCP_DEFER_ACCEPT waits for text. */
  isDeferred = false;
  rttMs = -1;
  /** A cookie for the peer; null if it did not ask for one. */
  fastOpenCookie: Uint8Array | null = null;

  constructor(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number) {
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
  }
}
