import {
  canQueueText,
  canReceiveText,
  canTransmit,
  isSynchronized,
  stateOnClose,
  stateOnFin,
  stateOnFinAcked,
  TcpState,
} from './tcp-state.js';

type StateName = keyof typeof TcpState;
interface Row {
  from: StateName;
  acked: boolean;
  to: StateName;
}

describe('stateOnFin, RFC 9293 section 3.10.7.4', () => {
  it.each`
    from             | acked    | to
    ${'SYN_RECV'}    | ${false} | ${'CLOSE_WAIT'}
    ${'ESTABLISHED'} | ${false} | ${'CLOSE_WAIT'}
    ${'FIN_WAIT1'}   | ${false} | ${'CLOSING'}
    ${'FIN_WAIT1'}   | ${true}  | ${'TIME_WAIT'}
    ${'FIN_WAIT2'}   | ${true}  | ${'TIME_WAIT'}
    ${'CLOSE_WAIT'}  | ${false} | ${'CLOSE_WAIT'}
    ${'CLOSING'}     | ${false} | ${'CLOSING'}
    ${'LAST_ACK'}    | ${false} | ${'LAST_ACK'}
    ${'TIME_WAIT'}   | ${true}  | ${'TIME_WAIT'}
    ${'CLOSE'}       | ${false} | ${'CLOSE'}
    ${'LISTEN'}      | ${false} | ${'LISTEN'}
    ${'SYN_SENT'}    | ${false} | ${'SYN_SENT'}
  `('$from, our FIN acked $acked: $to', ({ from, acked, to }: Row) => {
    expect(stateOnFin(TcpState[from], acked)).toBe(TcpState[to]);
  });
});

describe('stateOnFinAcked, RFC 9293 section 3.10.7.4', () => {
  it.each`
    from             | to
    ${'FIN_WAIT1'}   | ${'FIN_WAIT2'}
    ${'CLOSING'}     | ${'TIME_WAIT'}
    ${'LAST_ACK'}    | ${'CLOSE'}
    ${'ESTABLISHED'} | ${'ESTABLISHED'}
    ${'FIN_WAIT2'}   | ${'FIN_WAIT2'}
    ${'CLOSE_WAIT'}  | ${'CLOSE_WAIT'}
    ${'TIME_WAIT'}   | ${'TIME_WAIT'}
    ${'SYN_SENT'}    | ${'SYN_SENT'}
    ${'SYN_RECV'}    | ${'SYN_RECV'}
    ${'LISTEN'}      | ${'LISTEN'}
    ${'CLOSE'}       | ${'CLOSE'}
  `('$from: $to', ({ from, to }: Row) => {
    expect(stateOnFinAcked(TcpState[from])).toBe(TcpState[to]);
  });
});

describe('stateOnClose, RFC 9293 section 3.10.4', () => {
  it.each`
    from             | to
    ${'LISTEN'}      | ${'CLOSE'}
    ${'SYN_SENT'}    | ${'CLOSE'}
    ${'SYN_RECV'}    | ${'FIN_WAIT1'}
    ${'ESTABLISHED'} | ${'FIN_WAIT1'}
    ${'CLOSE_WAIT'}  | ${'LAST_ACK'}
    ${'FIN_WAIT1'}   | ${'FIN_WAIT1'}
    ${'FIN_WAIT2'}   | ${'FIN_WAIT2'}
    ${'CLOSING'}     | ${'CLOSING'}
    ${'LAST_ACK'}    | ${'LAST_ACK'}
    ${'TIME_WAIT'}   | ${'TIME_WAIT'}
    ${'CLOSE'}       | ${'CLOSE'}
  `('$from: $to', ({ from, to }: Row) => {
    expect(stateOnClose(TcpState[from])).toBe(TcpState[to]);
  });
});

describe('what a state allows', () => {
  it.each`
    state            | synchronized | receives | queues   | transmits
    ${'CLOSE'}       | ${false}     | ${false} | ${false} | ${false}
    ${'LISTEN'}      | ${false}     | ${false} | ${false} | ${false}
    ${'SYN_SENT'}    | ${false}     | ${false} | ${true}  | ${false}
    ${'SYN_RECV'}    | ${false}     | ${false} | ${true}  | ${false}
    ${'ESTABLISHED'} | ${true}      | ${true}  | ${true}  | ${true}
    ${'FIN_WAIT1'}   | ${true}      | ${true}  | ${false} | ${true}
    ${'FIN_WAIT2'}   | ${true}      | ${true}  | ${false} | ${false}
    ${'CLOSE_WAIT'}  | ${true}      | ${false} | ${true}  | ${true}
    ${'CLOSING'}     | ${true}      | ${false} | ${false} | ${true}
    ${'LAST_ACK'}    | ${true}      | ${false} | ${false} | ${true}
    ${'TIME_WAIT'}   | ${true}      | ${false} | ${false} | ${false}
  `('$state', (row: { state: StateName } & Record<string, boolean>) => {
    const state = TcpState[row.state];
    expect({
      synchronized: isSynchronized(state),
      receives: canReceiveText(state),
      queues: canQueueText(state),
      transmits: canTransmit(state),
    }).toEqual({
      synchronized: row['synchronized'],
      receives: row['receives'],
      queues: row['queues'],
      transmits: row['transmits'],
    });
  });
});
