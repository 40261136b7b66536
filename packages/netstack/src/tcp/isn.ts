import type { IpAddress } from '../wire/ip-address.js';
import type { KeyedHash } from './tcp-settings.js';

/** RFC 6528 section 3: the clock M ticks every 4 microseconds. */
const TICKS_PER_MS = 250;
/** First words of the hashes, so that none is another's. */
const PURPOSE_ISN = 1;
const PURPOSE_TIMESTAMP = 2;

/** Initial sequence numbers that outsiders cannot guess: RFC 6528 (RFC 9293 section 3.4.1, MUST-8 and SHLD-1). */
export class IsnGenerator {
  readonly #hash: KeyedHash;

  /** `hash` is keyed with a secret of this boot. */
  constructor(hash: KeyedHash) {
    this.#hash = hash;
  }

  /** ISN = M + F(addresses, ports, secret). */
  isn(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number, nowMs: number): number {
    return (this.#hashFlow(PURPOSE_ISN, local, localPort, remote, remotePort) + Math.floor(nowMs * TICKS_PER_MS)) | 0;
  }

  /** What is added to the clock for timestamps, one for each pair of hosts: RFC 7323 section 5.4. */
  tsOffset(local: IpAddress, remote: IpAddress): number {
    return this.#hashFlow(PURPOSE_TIMESTAMP, local, 0, remote, 0);
  }

  #hashFlow(purpose: number, local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    return hashFlow(this.#hash, purpose, local, localPort, remote, remotePort, 0);
  }
}

/** Hash of a flow and `salt`, a signed 32-bit number. */
export function hashFlow(
  hash: KeyedHash,
  purpose: number,
  local: IpAddress,
  localPort: number,
  remote: IpAddress,
  remotePort: number,
  salt: number,
): number {
  hash.start();
  hash.add(purpose);
  hash.add(local.w0);
  hash.add(local.w1);
  hash.add(local.w2);
  hash.add(local.w3);
  hash.add(remote.w0);
  hash.add(remote.w1);
  hash.add(remote.w2);
  hash.add(remote.w3);
  hash.add((localPort << 16) | remotePort);
  hash.add(salt);
  return hash.finish() | 0;
}
