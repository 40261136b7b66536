import { ENOMSG, SO_EE_ORIGIN_LOCAL, SO_EE_ORIGIN_TIMESTAMPING } from '@tsv/abi';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { IpAddress } from '../wire/ip-address.js';

/** Errors kept for one socket. */
export const ERROR_COUNT_MAX = 64;
/** Bytes of the packet in question that are kept. */
const QUOTE_BYTES_MAX = 512;
const NO_BYTES = new Uint8Array(0);

/** One entry of a socket's error queue, `struct sock_extended_err` of ip(7). */
export interface QueuedError {
  readonly errno: number;
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  readonly info: number;
  readonly data: number;
  /** Monotonic milliseconds of what is told, for a time stamp; else 0. */
  readonly atMs: number;
  readonly offender: IpAddress;
  /** Where the packet was sent. */
  readonly dst: IpAddress;
  readonly dstPort: number;
  /** What is left of the packet's payload. */
  readonly payload: Uint8Array;
}

/** Errors that MSG_ERRQUEUE reads, for sockets with IP_RECVERR. */
export class ErrorQueue {
  readonly #errors: QueuedError[] = [];

  get count(): number {
    return this.#errors.length;
  }

  /** The error that {@link ErrorQueue.shift} would take. */
  get first(): QueuedError | undefined {
    return this.#errors[0];
  }

  /** Appends an error; without room it is lost. `headerLen`: bytes of the quoted upper-layer header. */
  push(error: IcmpError, dstPort: number, headerLen: number): void {
    const from = Math.min(error.quoteAt + headerLen, error.quoteEnd);
    const to = Math.min(error.quoteEnd, from + QUOTE_BYTES_MAX);
    this.#add({
      errno: error.errno,
      origin: error.origin,
      type: error.type,
      code: error.code,
      info: error.info,
      data: 0,
      atMs: 0,
      offender: error.offender.clone(),
      dst: error.dst.clone(),
      dstPort,
      payload: error.packet === null ? NO_BYTES : error.packet.bytes.slice(from, to),
    });
  }

  /** Appends an error that this stack found itself. */
  pushLocal(errno: number, info: number, dst: IpAddress, dstPort: number): void {
    const origin = SO_EE_ORIGIN_LOCAL;
    const offender = dst.clone();
    this.#add({
      errno,
      origin,
      type: 0,
      code: 0,
      info,
      data: 0,
      atMs: 0,
      offender,
      dst: offender,
      dstPort,
      payload: NO_BYTES,
    });
  }

  /** Appends the time at which something was sent: SO_TIMESTAMPING. */
  pushStamp(id: number, atMs: number, dst: IpAddress): void {
    const [errno, origin] = [ENOMSG, SO_EE_ORIGIN_TIMESTAMPING];
    this.#add({
      errno,
      origin,
      type: 0,
      code: 0,
      info: 0,
      data: id,
      atMs,
      offender: dst,
      dst,
      dstPort: 0,
      payload: NO_BYTES,
    });
  }

  shift(): QueuedError | undefined {
    return this.#errors.shift();
  }

  clear(): void {
    this.#errors.length = 0;
  }

  #add(error: QueuedError): void {
    if (this.#errors.length < ERROR_COUNT_MAX) this.#errors.push(error);
  }
}
