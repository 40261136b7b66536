import { NO_FLIGHT } from './flight.js';
import { ack, sentSegments, socketSack, writeSegments } from './testing/big-window.js';
import { MSS } from './testing/fixture.js';

describe('Flight', () => {
  it('a connection has one while text of it is not acknowledged', () => {
    const script = socketSack();
    const { sender } = script.endpoint;
    const hasNone = (): boolean => sender.queue === NO_FLIGHT.queue;
    const seen = [hasNone()];
    writeSegments(script, 2);
    seen.push(hasNone());
    ack(script, 1);
    seen.push(hasNone());
    ack(script, 2);
    seen.push(hasNone());
    expect(seen).toEqual([true, false, false, true]);
  });

  it('two connections have two', () => {
    const senders = [socketSack(), socketSack()].map((script) => {
      writeSegments(script, 2);
      return script.endpoint.sender;
    });
    expect(senders[0]!.queue).not.toBe(senders[1]!.queue);
  });

  it('that of another connection is as good as a new one', () => {
    const before = socketSack();
    writeSegments(before, 8);
    before.pass(100);
    ack(before, 8);
    const script = socketSack();
    writeSegments(script, 8);
    expect(sentSegments(script)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    script.pass(100);
    ack(script, 0, [[1, 4]]);
    expect(sentSegments(script)).toEqual([0]);
  });

  it('one that was recovered from a loss is kept, with its counts', () => {
    const script = socketSack();
    writeSegments(script, 8);
    script.pass(100);
    ack(script, 0, [[1, 4]]);
    ack(script, 8);
    const { sender } = script.endpoint;
    expect([sender.queue === NO_FLIGHT.queue, sender.recovery.recoveryCount]).toEqual([false, 1]);
  });

  it('what it delivered is told after it is given back', () => {
    const script = socketSack();
    const before = script.endpoint.sender.deliveredBytes;
    for (const end of [4, 8]) {
      writeSegments(script, 4);
      script.pass(100);
      ack(script, end);
    }
    const { deliveredBytes, deliveryBytesPerMs } = script.endpoint.sender;
    expect([deliveredBytes - before, deliveryBytesPerMs]).toEqual([8 * MSS, (4 * MSS) / 100]);
  });

  it('that of connections with nothing on its way stays as it is', () => {
    const script = socketSack();
    writeSegments(script, 4);
    script.pass(10_000);
    ack(script, 4);
    script.endpoint.abort();
    const { queue, rack, rate, recovery } = NO_FLIGHT;
    expect([queue.count, queue.outBytes, rack.hasLearned, rate.deliveredBytes, recovery.state]).toEqual([
      0,
      0,
      false,
      0,
      0,
    ]);
    expect(NO_FLIGHT.isOver).toBe(true);
  });
});
