import { NLMSG_DONE, NLMSG_ERROR, NLM_F_CAPPED, NLM_F_MULTI, SIZEOF_NLMSGHDR } from '@tsv/abi';
import type { NetlinkRequest } from './netlink-request.js';
import { NetlinkWriter } from './netlink-writer.js';

/** Datagrams are begun anew beyond this: what a program that reads a page at a time can take, as Linux does. */
const DATAGRAM_BYTES_SOFT_MAX = 3072;

/** Collects what answers a request: messages in one or more datagrams. */
export class NetlinkReply {
  readonly writer = new NetlinkWriter();
  readonly datagrams: Uint8Array[] = [];
  readonly #request: NetlinkRequest;
  readonly #pid: number;

  /** `pid`: the port of the socket that asked. */
  constructor(request: NetlinkRequest, pid: number) {
    this.#request = request;
    this.#pid = pid;
  }

  /** Begins a message of the answer; `writer.end()` ends it. */
  begin(type: number, flags = 0): NetlinkWriter {
    const { writer } = this;
    if (writer.len > DATAGRAM_BYTES_SOFT_MAX) this.flush();
    const multi = this.#request.isDump ? NLM_F_MULTI : 0;
    writer.begin(type, flags | multi, this.#request.seq, this.#pid);
    return writer;
  }

  /** Ends a dump. */
  done(): void {
    const writer = this.begin(NLMSG_DONE);
    writer.extend(4);
    writer.end();
  }

  /** Tells how the request went: 0 or a negated errno. `isCapped`: without the request's payload. */
  acknowledge(status: number, isCapped: boolean): void {
    const { bytes, at, end, seq } = this.#request;
    const quotesAll = status !== 0 && !isCapped;
    const from = at - SIZEOF_NLMSGHDR;
    const quoted = bytes.subarray(from, quotesAll ? end : at);
    const { writer } = this;
    writer.begin(NLMSG_ERROR, quotesAll ? 0 : NLM_F_CAPPED, seq, this.#pid);
    const statusAt = writer.extend(4);
    writer.view.setInt32(statusAt, status, true);
    const quoteAt = writer.extend(quoted.length);
    writer.bytes.set(quoted, quoteAt);
    writer.end();
  }

  /** Ends the current datagram. */
  flush(): void {
    if (this.writer.len > 0) this.datagrams.push(this.writer.take());
  }
}
