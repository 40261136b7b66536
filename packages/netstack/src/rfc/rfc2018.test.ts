import type { TcpSettings } from '../tcp/tcp-settings.js';
import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const TEXT = 'x'.repeat(S);
const sack = (settings: TcpSettings): void => void (settings.isSackOn = true);
const connected = (): TcpWire => new TcpWire(sack).connect({ isSackPermitted: true });

/** Text comes in segments of these numbers; returns the blocks of the last answer, in segments. */
function blocks(wire: TcpWire, ...arrived: number[]): (readonly number[])[] {
  const answers = arrived.flatMap((index) => wire.say({ seq: index * S, text: TEXT }));
  return answers.at(-1)!.sacks.map(([from, to]) => [from / S, to / S]);
}

describe('RFC 2018 section 2, SACK-permitted', () => {
  it('goes in a SYN, and in no other segment', () => {
    const wire = new TcpWire(sack);
    expect(wire.call().isSackPermitted).toBe(true);
    wire.answerCall({ isSackPermitted: true });
    expect(wire.write(10)[0]!.isSackPermitted).toBe(false);
  });

  it.each([true, false])('a SYN-ACK has it if the SYN had it: %s', (isSackPermitted) => {
    expect(new TcpWire(sack).beCalled({ isSackPermitted }).isSackPermitted).toBe(isSackPermitted);
  });

  it('section 3: no blocks go to a peer that did not permit them', () => {
    expect(blocks(new TcpWire(sack).connect(), 1)).toEqual([]);
  });
});

describe('RFC 2018 sections 3 and 4, what the receiver sends', () => {
  it('each acknowledgement that does not cover the highest text received has blocks', () => {
    const wire = connected();
    const answers = [2, 4, 6].map((index) => blocks(wire, index).length);
    expect([answers, blocks(wire, 0)]).toEqual([
      [1, 2, 3],
      [
        [6, 7],
        [4, 5],
        [2, 3],
      ],
    ]);
  });

  it('the first block is the one with the segment that caused the acknowledgement', () => {
    expect(blocks(connected(), 2, 4, 6, 3)[0]).toEqual([2, 5]);
  });

  it('a block is as large as what lies together', () => {
    expect(blocks(connected(), 5, 3, 4)).toEqual([[3, 6]]);
  });

  it('the other blocks are those that were reported last, so that each is told three times', () => {
    expect(blocks(connected(), 2, 4, 6, 8, 10)).toEqual([
      [10, 11],
      [8, 9],
      [6, 7],
      [4, 5],
    ]);
  });

  it('beside timestamps there is room for three', () => {
    const wire = new TcpWire((settings) => {
      sack(settings);
      settings.isTimestampsOn = true;
    }).connect({ isSackPermitted: true, timestamps: [1, 0] });
    expect(blocks(wire, 2, 4, 6, 8)).toHaveLength(3);
  });

  it('the acknowledgement number stays the left edge of the window', () => {
    const [answer] = connected().say({ seq: 3 * S, text: TEXT });
    expect(answer!.ack).toBe(0);
  });

  it('what was reported is not thrown away: the gap filled, all can be read', () => {
    const wire = connected();
    blocks(wire, 2, 1, 3);
    wire.say({ seq: 0, text: TEXT });
    expect(wire.read().length).toBe(4 * S);
  });
});

describe('RFC 2018 sections 5 and 8, what the sender does', () => {
  /** Twenty segments to send, ten of them out a round trip ago. */
  function sending(): TcpWire {
    const wire = connected();
    wire.write(20 * S);
    wire.pass(100);
    return wire;
  }

  it('sends again what lies between the blocks, and not what they cover', () => {
    const wire = sending();
    const sent = wire.ack(0, [
      [7 * S, 10 * S],
      [2 * S, 3 * S],
      [5 * S, 6 * S],
    ]);
    sent.push(...wire.pass(30));
    const again = numbers(sent).filter((index) => index < 10);
    expect([again.slice(0, 2), again.filter((index) => [2, 5, 7, 8, 9].includes(index))]).toEqual([[0, 1], []]);
  });

  it('8: text stays until it is acknowledged: a peer that reneges gets it again', () => {
    const wire = sending();
    wire.ack(0, [[S, 10 * S]]);
    wire.ack(S);
    const again = numbers(wire.pass(2_000));
    expect(again[0]).toBe(1);
  });

  it('5: after a timeout the segment at the left edge goes again, reported or not', () => {
    const wire = sending();
    wire.ack(0, [[0, 2 * S]]);
    expect(numbers(wire.pass(1_000))).toContain(0);
  });

  it('blocks that make no sense are ignored', () => {
    const wire = sending();
    wire.ack(0, [
      [30 * S, 40 * S],
      [3 * S, S],
      [-5 * S, -S],
    ]);
    expect([wire.info().tcpi_sacked, numbers(wire.ack(10 * S))[0]]).toEqual([0, 10]);
  });
});
