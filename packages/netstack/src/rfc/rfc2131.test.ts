import { DhcpClient } from '../dhcp/dhcp-client.js';
import { arp, ARP, BROADCAST, EthernetWire, type Frame, hex, IPV4, OURS, PEERS } from '../testing/ethernet-wire.js';
import { addressBytes, ipv4, u16, udp } from '../testing/packets.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress } from '../wire/ip-address.js';

const DISCOVER = 1;
const OFFER = 2;
const REQUEST = 3;
const DECLINE = 4;
const ACK = 5;
const NAK = 6;
const RELEASE = 7;
const REQUESTED_IP = 50;
const LEASE_TIME = 51;
const MESSAGE_TYPE = 53;
const SERVER_ID = 54;
const PARAMETERS = 55;
const COOKIE = [0x63, 0x82, 0x53, 0x63];
const GIVEN = '10.9.0.7';
const SERVER = '10.9.0.1';
const LEASE_SEC = 1_000;

/** A message of the client, as it was sent. */
interface Sent {
  readonly atMs: number;
  readonly to: string;
  readonly src: string;
  readonly dst: string;
  readonly ports: readonly number[];
  readonly type: number;
  readonly xid: readonly number[];
  readonly secs: readonly number[];
  readonly ciaddr: string;
  readonly chaddr: string;
  readonly options: ReadonlyMap<number, readonly number[]>;
}

function sentIn(frames: readonly Frame[]): Sent[] {
  return frames.flatMap((frame) => {
    const { payload } = frame;
    if (frame.type !== IPV4 || payload[9] !== 17) return [];
    const message = payload.slice(28);
    expect([message[0], message[1], message[2], message.slice(236, 240)]).toEqual([1, 1, 6, COOKIE]);
    const options = new Map<number, number[]>();
    for (let at = 240; message[at] !== 255; at += 2 + message[at + 1]!) {
      options.set(message[at]!, message.slice(at + 2, at + 2 + message[at + 1]!));
    }
    return [
      {
        atMs: frame.atMs,
        to: frame.to,
        src: payload.slice(12, 16).join('.'),
        dst: payload.slice(16, 20).join('.'),
        ports: [payload[20]! * 256 + payload[21]!, payload[22]! * 256 + payload[23]!],
        type: options.get(MESSAGE_TYPE)![0]!,
        xid: message.slice(4, 8),
        secs: message.slice(8, 10),
        ciaddr: message.slice(12, 16).join('.'),
        chaddr: hex(message.slice(28, 34)),
        options,
      },
    ];
  });
}

class Office {
  readonly wire = new EthernetWire({ addresses: [] });
  readonly client: DhcpClient;
  sent: Sent[] = [];

  constructor(checksAddress = false) {
    this.client = new DhcpClient(this.wire.stack, this.wire.nic, null, checksAddress);
    this.wire.pass(10_000);
    this.client.start();
    this.look();
  }

  look(): Sent[] {
    this.sent = sentIn(this.wire.heard());
    return this.sent;
  }

  pass(ms: number): Sent[] {
    return sentIn(this.wire.pass(ms));
  }

  /** The server answers `request`; returns what the client sends at once. */
  answer(request: Sent, type: number, change: (message: number[]) => void = () => undefined, given = GIVEN): Sent[] {
    const lease = [LEASE_TIME, 4, 0, 0, ...u16(LEASE_SEC)];
    const options = [MESSAGE_TYPE, 1, type, SERVER_ID, 4, ...addressBytes(SERVER), 1, 4, 255, 255, 255, 0];
    const message = [
      2,
      1,
      6,
      0,
      ...request.xid,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      ...addressBytes(given),
      ...new Array<number>(8).fill(0),
    ];
    message.push(...parseLinkAddress(OURS), ...new Array<number>(202).fill(0), ...COOKIE, ...options);
    if (type !== NAK) message.push(...lease);
    message.push(255);
    change(message);
    return sentIn(
      this.wire.inject(IPV4, ipv4({ src: SERVER, dst: '255.255.255.255' }, ...udp(67, 68, ...message)), BROADCAST),
    );
  }

  /** Goes through the exchange up to a lease. */
  bind(): this {
    const [request] = this.answer(this.sent[0]!, OFFER);
    this.answer(request!, ACK);
    this.wire.nic.neighbours!.addPermanent(ipOf(SERVER), parseLinkAddress(PEERS));
    return this;
  }

  get has(): boolean {
    return this.wire.nic.findAddress(ipOf(GIVEN)) !== undefined;
  }
}

const ipOf = (text: string) => IpAddress.parse(text);

describe('RFC 2131 section 3.1 and 4.4.1, getting an address', () => {
  it('4.1: a discover goes from 0.0.0.0, port 68, to everybody, port 67', () => {
    const [discover] = new Office().sent;
    expect(discover).toMatchObject({
      to: BROADCAST,
      src: '0.0.0.0',
      dst: '255.255.255.255',
      ports: [68, 67],
      type: DISCOVER,
    });
  });

  it('table 5: with its hardware address, no address of its own, and no server', () => {
    const [discover] = new Office().sent;
    expect([discover!.chaddr, discover!.ciaddr, discover!.options.has(SERVER_ID)]).toEqual([
      '020000000001',
      '0.0.0.0',
      false,
    ]);
  });

  it('4.4.1: the request that answers an offer names server and address, has the same xid and secs, and no ciaddr', () => {
    const office = new Office();
    const [discover] = office.sent;
    const [request] = office.answer(discover!, OFFER);
    expect([request!.type, request!.xid, request!.secs, request!.ciaddr, request!.dst]).toEqual([
      REQUEST,
      discover!.xid,
      discover!.secs,
      '0.0.0.0',
      '255.255.255.255',
    ]);
    expect([request!.options.get(REQUESTED_IP), request!.options.get(SERVER_ID)]).toEqual([
      addressBytes(GIVEN),
      addressBytes(SERVER),
    ]);
  });

  it('an acknowledgement gives the address, and a second offer changes nothing', () => {
    const office = new Office();
    const [discover] = office.sent;
    const [request] = office.answer(discover!, OFFER);
    const again = office.answer(discover!, OFFER, undefined, '10.9.0.8');
    office.answer(request!, ACK);
    expect([again, office.has]).toEqual([[], true]);
  });

  it.each([
    ['of another xid', (message: number[]) => message.splice(4, 1, message[4]! ^ 1)],
    ['for another hardware address', (message: number[]) => message.splice(33, 1, 9)],
    ['that is a request', (message: number[]) => message.splice(0, 1, 1)],
    ['without the magic cookie', (message: number[]) => message.splice(236, 1, 0)],
    ['without a type', (message: number[]) => message.splice(240, 3, 0, 0, 0)],
  ])('4.4.1: an answer %s is silently dropped', (_what, change) => {
    const office = new Office();
    expect(office.answer(office.sent[0]!, OFFER, change)).toEqual([]);
  });

  it('3.1: a refusal begins everything anew', () => {
    const office = new Office();
    const [request] = office.answer(office.sent[0]!, OFFER);
    const [again] = office.answer(request!, NAK);
    expect([again!.type, office.has]).toEqual([DISCOVER, false]);
  });

  it('4.1: what is not answered goes again after 4, 8, 16 ... seconds, a second more or less', () => {
    const office = new Office();
    const times = [office.sent[0]!, ...office.pass(100_000)].map(({ atMs }) => atMs);
    const gaps = times.slice(1).map((atMs, i) => atMs - times[i]!);
    gaps.slice(0, 4).forEach((gap, i) => expect(Math.abs(gap - 4_000 * 2 ** i)).toBeLessThanOrEqual(1_000));
  });
});

describe('RFC 2131 section 4.4.5, keeping it', () => {
  it('T1 is half of the lease: the request goes to the server, from the address, and names neither', () => {
    const office = new Office().bind();
    const startMs = office.wire.nowMs;
    const [renew] = office.pass((LEASE_SEC * 1000) / 2);
    expect(renew).toMatchObject({ type: REQUEST, to: PEERS, src: GIVEN, dst: SERVER, ciaddr: GIVEN });
    expect([renew!.options.has(SERVER_ID), renew!.options.has(REQUESTED_IP)]).toEqual([false, false]);
    expect(renew!.atMs - startMs).toBe((LEASE_SEC * 1000) / 2);
  });

  it('T2 is 0.875 of it: from then on everybody is asked', () => {
    const office = new Office().bind();
    const startMs = office.wire.nowMs;
    const sent = office.pass(LEASE_SEC * 1000 - 1);
    const rebind = sent.find(({ dst }) => dst === '255.255.255.255');
    expect([rebind!.atMs - startMs, rebind!.type, rebind!.ciaddr]).toEqual([LEASE_SEC * 875, REQUEST, GIVEN]);
  });

  it('retries come after half of the time that is left, and not more often than once a minute', () => {
    const office = new Office().bind();
    const times = office.pass(LEASE_SEC * 875 - 1).map(({ atMs }) => atMs);
    const gaps = times.slice(1).map((atMs, i) => atMs - times[i]!);
    expect([gaps[0], Math.min(...gaps) >= 60_000]).toEqual([187_500, true]);
  });

  it('an answer makes the lease new', () => {
    const office = new Office().bind();
    const [renew] = office.pass(500_000);
    office.answer(renew!, ACK);
    office.pass(499_999);
    expect(office.has).toBe(true);
  });

  it('at its end the address is given up, and the search begins anew', () => {
    const office = new Office().bind();
    const sent = office.pass(LEASE_SEC * 1000);
    expect([sent.at(-1)!.type, sent.at(-1)!.src, office.has]).toEqual([DISCOVER, '0.0.0.0', false]);
  });

  it('a refusal ends it at once', () => {
    const office = new Office().bind();
    const [renew] = office.pass(500_000);
    office.answer(renew!, NAK);
    expect(office.has).toBe(false);
  });
});

describe('RFC 2131 section 4.4.6, giving it back', () => {
  it('goes to the server, with ciaddr and server identifier, and asks for nothing', () => {
    const office = new Office().bind();
    office.client.stop();
    const [release] = office.look();
    expect(release).toMatchObject({ type: RELEASE, dst: SERVER, ciaddr: GIVEN });
    const { options } = release!;
    expect([options.get(SERVER_ID), options.has(REQUESTED_IP), options.has(PARAMETERS)]).toEqual([
      addressBytes(SERVER),
      false,
      false,
    ]);
  });

  it('afterwards nobody who asks for the address is answered', () => {
    const office = new Office().bind();
    office.client.stop();
    expect(
      office.wire.inject(ARP, arp(1, PEERS, SERVER, null, GIVEN), BROADCAST).filter(({ type }) => type === ARP),
    ).toEqual([]);
  });
});

describe('RFC 2131 section 4.4.1 and RFC 5227, an address that somebody has', () => {
  /** A client that has got its acknowledgement and asks who has the address. */
  function checking(): Office {
    const office = new Office(true);
    const [request] = office.answer(office.sent[0]!, OFFER);
    office.answer(request!, ACK);
    return office;
  }

  /** What goes out in `ms`: kind of ARP packet and when, in seconds. */
  function arps(office: Office, ms: number): [kind: string, sec: number][] {
    const startMs = office.wire.nowMs;
    const packets = office.wire.pass(ms).filter(({ type }) => type === ARP);
    return packets.map(({ payload, atMs }) => [kindOf(payload), (atMs - startMs) / 1000]);
  }

  function kindOf(payload: readonly number[]): string {
    const [sender, target] = [payload.slice(14, 18).join('.'), payload.slice(24, 28).join('.')];
    if (sender === '0.0.0.0' && target === GIVEN) return 'probe';
    return sender === GIVEN && target === GIVEN ? 'announcement' : 'other';
  }

  it('5227 2.1.1 and 2.3: three probes a second or two apart, then two announcements, and it is used', () => {
    const office = checking();
    const heard = arps(office, 12_000);
    expect(heard.map(([kind]) => kind)).toEqual(['probe', 'probe', 'probe', 'announcement', 'announcement']);
    const gaps = heard.slice(1).map(([, sec], i) => sec - heard[i]![1]);
    expect(heard[0]![1]).toBeLessThan(1);
    for (const gap of gaps.slice(0, 2)) expect(gap >= 1 && gap < 2).toBe(true);
    expect([gaps[2], gaps[3]]).toEqual([2, 2]);
    expect(office.has).toBe(true);
  });

  it('is not used before', () => {
    const office = checking();
    office.pass(3_000);
    expect(office.has).toBe(false);
  });

  it.each([
    ['who answers a probe', arp(2, PEERS, GIVEN, OURS, '0.0.0.0')],
    ['who asks from it', arp(1, PEERS, GIVEN, null, SERVER)],
    ['who probes it too', arp(1, PEERS, '0.0.0.0', null, GIVEN)],
  ])('2131 4.4.1: it is declined to the server for one %s', (_what, packet) => {
    const office = checking();
    office.pass(1_500);
    const [decline] = sentIn(office.wire.inject(ARP, packet, BROADCAST));
    expect(decline).toMatchObject({ type: DECLINE, ciaddr: '0.0.0.0', dst: '255.255.255.255' });
    const { options } = decline!;
    expect([options.get(REQUESTED_IP), options.get(SERVER_ID), options.has(PARAMETERS)]).toEqual([
      addressBytes(GIVEN),
      addressBytes(SERVER),
      false,
    ]);
    expect(office.has).toBe(false);
  });

  it('3.1: and another is looked for ten seconds later', () => {
    const office = checking();
    office.pass(1_500);
    office.wire.inject(ARP, arp(2, PEERS, GIVEN, OURS, '0.0.0.0'));
    expect(office.pass(9_999)).toEqual([]);
    expect(office.pass(1).map(({ type }) => type)).toEqual([DISCOVER]);
  });

  it('our own probes, which a bridge may send back, are no conflict', () => {
    const office = checking();
    office.pass(1_500);
    office.wire.inject(ARP, arp(1, OURS, '0.0.0.0', null, GIVEN), BROADCAST, OURS);
    office.pass(10_000);
    expect(office.has).toBe(true);
  });

  it('5227 2.4 (b): one in use is defended once, and given up to who insists', () => {
    const office = checking();
    office.pass(20_000);
    const claim = arp(1, PEERS, GIVEN, null, GIVEN);
    const defence = office.wire.inject(ARP, claim, BROADCAST).filter(({ type }) => type === ARP);
    expect([defence.map(({ payload }) => kindOf(payload)), office.has]).toEqual([['announcement'], true]);
    office.pass(10_000);
    office.wire.inject(ARP, claim, BROADCAST);
    expect(office.has).toBe(true);
    office.wire.inject(ARP, claim, BROADCAST);
    expect(office.has).toBe(false);
  });

  it('a client that is stopped meanwhile asks no more', () => {
    const office = checking();
    office.client.stop();
    expect(arps(office, 10_000)).toEqual([]);
  });
});
