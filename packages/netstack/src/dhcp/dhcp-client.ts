import { EAGAIN, POLLIN } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import { WaitEntry } from '@tsv/waiter';
import { AddressDefence, type AddressOwner } from '../net/address-defence.js';
import type { Nic } from '../net/nic.js';
import { RTPROT_DHCP } from '../net/route-table.js';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import { IPV4_ANY, IPV4_BROADCAST, type IpAddress } from '../wire/ip-address.js';
import {
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  DHCPACK,
  DHCPDECLINE,
  DHCPDISCOVER,
  DHCPNAK,
  DHCPOFFER,
  DHCPRELEASE,
  DHCPREQUEST,
  type DhcpReply,
  makeDhcpRequest,
  parseDhcpReply,
} from './dhcp-message.js';

/** States of the client, RFC 2131 figure 5. */
export const DhcpState = {
  STOPPED: 0,
  SELECTING: 1,
  REQUESTING: 2,
  BOUND: 3,
  RENEWING: 4,
  REBINDING: 5,
  /** Asks whether somebody has the address already. */
  CHECKING: 6,
  /** Somebody had it; waits before it begins anew. */
  DECLINED: 7,
} as const;
export type DhcpState = (typeof DhcpState)[keyof typeof DhcpState];

/** Retransmission, RFC 2131 section 4.1: doubled from 4 to 64 seconds, a second more or less. */
const RETRY_MS = 4_000;
const RETRY_MS_MAX = 64_000;
const RETRY_JITTER_MS = 1_000;
/** Requests of one offer before the client looks for another. */
const REQUEST_COUNT_MAX = 4;
/** Least time between renewals, RFC 2131 section 4.4.5. */
const RENEW_MS_MIN = 60_000;
/** RFC 2131 section 3.1, step 5. */
const DECLINE_WAIT_MS = 10_000;
const MESSAGE_BYTES_MAX = 1_500;

class Readable extends WaitEntry {
  readonly #client: DhcpClient;

  constructor(client: DhcpClient) {
    super();
    this.#client = client;
  }

  notified(): void {
    this.#client.receive();
  }
}

/** Gets an IPv4 address, routes and name servers for an interface, and keeps them: RFC 2131. */
export class DhcpClient extends Timer implements AddressOwner {
  readonly #stack: Stack;
  readonly #nic: Nic;
  readonly #onChange: ((lease: DhcpReply | null) => void) | null;
  readonly #readable = new Readable(this);
  readonly #buffer = new Uint8Array(MESSAGE_BYTES_MAX);
  #socket: UdpSocket | null = null;
  #state: DhcpState = DhcpState.STOPPED;
  #xid = 0;
  #retryCount = 0;
  #offer: DhcpReply | null = null;
  #lease: DhcpReply | null = null;
  #leasedMs = 0;
  /** What the server gave and nobody else must have; null without a check. */
  #defence: AddressDefence | null = null;
  readonly #checksAddress: boolean;

  /**
   * `onChange` hears of each new lease, and null when there is none any more. Before its first use an address is checked
   * for five seconds or so, unless `checksAddress` is false. The link must be Ethernet.
   */
  constructor(
    stack: Stack,
    nic: Nic,
    onChange: ((lease: DhcpReply | null) => void) | null = null,
    checksAddress = true,
  ) {
    super();
    this.#checksAddress = checksAddress;
    this.#stack = stack;
    this.#nic = nic;
    this.#onChange = onChange;
  }

  get state(): DhcpState {
    return this.#state;
  }

  /** What the server gave, or null. */
  get lease(): DhcpReply | null {
    return this.#lease;
  }

  /** Begins to look for a server. Returns 0 or a negated errno if port 68 is taken. */
  start(): number {
    if (this.#socket !== null) return 0;
    const socket = new UdpSocket(this.#stack, false);
    socket.options.mayBroadcast = true;
    socket.options.boundNicId = this.#nic.id;
    const bound = socket.bind(IPV4_ANY, DHCP_CLIENT_PORT);
    if (bound !== 0) return bound;
    this.#socket = socket;
    socket.waiters.add(this.#readable, POLLIN);
    this.#stack.enter();
    this.#discover();
    this.#stack.leave();
    return 0;
  }

  /** Gives the address back and stops. */
  stop(): void {
    if (this.#socket === null) return;
    const lease = this.#lease;
    if (lease !== null && lease.server !== null)
      this.#send(DHCPRELEASE, lease.address, null, lease.server, lease.server);
    this.#loseLease();
    this.#stack.timers.disarm(this);
    this.#readable.leave();
    this.#socket.close();
    this.#socket = null;
    this.#state = DhcpState.STOPPED;
  }

  /** Takes the replies that have come. */
  receive(): void {
    const socket = this.#socket!;
    for (;;) {
      const len = socket.receive(this.#buffer, 0, MESSAGE_BYTES_MAX, 0, null, null);
      if (len === -EAGAIN) return;
      if (len < 0) continue;
      const reply = parseDhcpReply(this.#buffer.slice(0, len), this.#xid, this.#nic.link.linkAddress!);
      if (reply !== undefined) this.#replied(reply);
    }
  }

  fired(nowMs: number): void {
    switch (this.#state) {
      case DhcpState.SELECTING:
        return this.#retryDiscover();
      case DhcpState.REQUESTING:
        return this.#retryCount >= REQUEST_COUNT_MAX ? this.#discover() : this.#request();
      case DhcpState.BOUND:
      case DhcpState.RENEWING:
      case DhcpState.REBINDING:
        return this.#keepLease(nowMs);
      case DhcpState.DECLINED:
        return this.#discover();
      case DhcpState.CHECKING:
      case DhcpState.STOPPED:
        return;
    }
  }

  /** Part of {@link AddressOwner}: the lease that the server gave counts from now on. */
  addressFree(): void {
    this.#use(this.#offer!);
  }

  /** Part of {@link AddressOwner}: RFC 2131 section 4.4.1. */
  addressTaken(): void {
    const { address, server } = (this.#lease ?? this.#offer)!;
    this.#loseLease();
    this.#send(DHCPDECLINE, null, address, server, IPV4_BROADCAST);
    this.#state = DhcpState.DECLINED;
    this.#stack.timers.arm(this, this.#stack.nowMs + DECLINE_WAIT_MS);
  }

  #replied(reply: DhcpReply): void {
    if (reply.type === DHCPOFFER && this.#state === DhcpState.SELECTING && reply.server !== null) {
      this.#offer = reply;
      this.#state = DhcpState.REQUESTING;
      this.#retryCount = 0;
      return this.#request();
    }
    const { REQUESTING, RENEWING, REBINDING } = DhcpState;
    if (this.#state !== REQUESTING && this.#state !== RENEWING && this.#state !== REBINDING) return;
    if (reply.type === DHCPNAK) {
      this.#loseLease();
      return this.#discover();
    }
    if (reply.type === DHCPACK) this.#bind(reply);
  }

  #discover(): void {
    this.#state = DhcpState.SELECTING;
    this.#xid = this.#stack.random.u32();
    this.#retryCount = 0;
    this.#retryDiscover();
  }

  #retryDiscover(): void {
    this.#armRetry();
    this.#send(DHCPDISCOVER, null, null, null, IPV4_BROADCAST);
  }

  #request(): void {
    this.#armRetry();
    const offer = this.#offer!;
    this.#send(DHCPREQUEST, null, offer.address, offer.server, IPV4_BROADCAST);
  }

  /** Renews from T1 on with the server, from T2 on with any, until the lease ends: RFC 2131 section 4.4.5. */
  #keepLease(nowMs: number): void {
    const lease = this.#lease!;
    const endMs = this.#leasedMs + lease.leaseSec * 1000;
    const rebindMs = this.#leasedMs + lease.rebindingSec * 1000;
    if (nowMs >= endMs) {
      this.#loseLease();
      return this.#discover();
    }
    if (this.#state === DhcpState.BOUND) this.#xid = this.#stack.random.u32();
    const isRebinding = nowMs >= rebindMs || lease.server === null;
    this.#state = isRebinding ? DhcpState.REBINDING : DhcpState.RENEWING;
    const deadlineMs = isRebinding ? endMs : rebindMs;
    const waitMs = Math.max((deadlineMs - nowMs) / 2, RENEW_MS_MIN);
    this.#stack.timers.arm(this, Math.min(nowMs + waitMs, deadlineMs));
    this.#send(DHCPREQUEST, lease.address, null, null, isRebinding ? IPV4_BROADCAST : lease.server);
  }

  #bind(reply: DhcpReply): void {
    const before = this.#lease;
    const lease = { ...reply, server: reply.server ?? before?.server ?? this.#offer?.server ?? null };
    this.#leasedMs = this.#stack.nowMs;
    if (!this.#checksAddress || before?.address.equals(reply.address) === true) return this.#use(lease);
    this.#loseLease();
    this.#offer = lease;
    this.#state = DhcpState.CHECKING;
    this.#stack.timers.disarm(this);
    this.#defence = new AddressDefence(this.#stack, this.#nic, lease.address, this);
    this.#defence.start();
  }

  #use(lease: DhcpReply): void {
    const before = this.#lease;
    const isNew = before === null || !isSame(before, lease);
    if (before !== null && isNew) this.#uninstall(before);
    this.#lease = lease;
    this.#state = DhcpState.BOUND;
    this.#stack.timers.arm(this, this.#leasedMs + lease.renewalSec * 1000);
    if (isNew) this.#install(lease);
  }

  #install(lease: DhcpReply): void {
    const { address, prefixLen, router, mtu } = lease;
    this.#nic.addAddress({ address, prefixLen });
    if (mtu !== 0) this.#nic.setMtu(mtu);
    if (router !== null) {
      const destination = { address: IPV4_ANY, prefixLen: 0 };
      this.#stack.routes.add({ destination, nicId: this.#nic.id, gateway: router, protocol: RTPROT_DHCP });
    }
    this.#onChange?.(lease);
  }

  #loseLease(): void {
    this.#defence?.stop();
    this.#defence = null;
    const lease = this.#lease;
    if (lease === null) return;
    this.#lease = null;
    this.#uninstall(lease);
  }

  #uninstall(lease: DhcpReply): void {
    this.#nic.removeAddress(lease.address);
    this.#stack.routes.removeWhere((route) => route.protocol === RTPROT_DHCP && route.nicId === this.#nic.id);
    this.#onChange?.(null);
  }

  #armRetry(): void {
    const baseMs = Math.min(RETRY_MS * 2 ** this.#retryCount++, RETRY_MS_MAX);
    const jitterMs = this.#stack.random.below(2 * RETRY_JITTER_MS) - RETRY_JITTER_MS;
    this.#stack.timers.arm(this, this.#stack.nowMs + baseMs + jitterMs);
  }

  #send(
    type: number,
    clientAddress: IpAddress | null,
    requestedAddress: IpAddress | null,
    server: IpAddress | null,
    to: IpAddress,
  ): void {
    const link = this.#nic.link.linkAddress!;
    const message = makeDhcpRequest({ type, xid: this.#xid, link, clientAddress, requestedAddress, server });
    // Lost or refused: the timer sends it again.
    this.#socket!.send(message, 0, message.length, new SocketAddress(to, DHCP_SERVER_PORT));
  }
}

function isSame(a: DhcpReply, b: DhcpReply): boolean {
  const isSameRouter = a.router === null ? b.router === null : b.router !== null && a.router.equals(b.router);
  return isSameRouter && a.prefixLen === b.prefixLen && a.mtu === b.mtu && a.address.equals(b.address);
}
