/** States of a connection, RFC 9293 section 3.3.2, with the numbers of `net/tcp_states.h`. */
export const TcpState = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
} as const;
export type TcpState = (typeof TcpState)[keyof typeof TcpState];

/** The state after the peer's FIN: RFC 9293 section 3.10.7.4, eighth. `finAcked`: the peer has acknowledged our FIN. */
export function stateOnFin(state: TcpState, finAcked: boolean): TcpState {
  switch (state) {
    case TcpState.SYN_RECV:
    case TcpState.ESTABLISHED:
      return TcpState.CLOSE_WAIT;
    case TcpState.FIN_WAIT1:
      return finAcked ? TcpState.TIME_WAIT : TcpState.CLOSING;
    case TcpState.FIN_WAIT2:
      return TcpState.TIME_WAIT;
    case TcpState.CLOSE:
    case TcpState.LISTEN:
    case TcpState.SYN_SENT:
    case TcpState.CLOSE_WAIT:
    case TcpState.CLOSING:
    case TcpState.LAST_ACK:
    case TcpState.TIME_WAIT:
      return state;
  }
}

/** The state when the peer acknowledges our FIN: RFC 9293 section 3.10.7.4, fifth. */
export function stateOnFinAcked(state: TcpState): TcpState {
  switch (state) {
    case TcpState.FIN_WAIT1:
      return TcpState.FIN_WAIT2;
    case TcpState.CLOSING:
      return TcpState.TIME_WAIT;
    case TcpState.LAST_ACK:
      return TcpState.CLOSE;
    case TcpState.CLOSE:
    case TcpState.LISTEN:
    case TcpState.SYN_SENT:
    case TcpState.SYN_RECV:
    case TcpState.ESTABLISHED:
    case TcpState.CLOSE_WAIT:
    case TcpState.FIN_WAIT2:
    case TcpState.TIME_WAIT:
      return state;
  }
}

/** The state after CLOSE or shutdown(2) for writing: RFC 9293 section 3.10.4. */
export function stateOnClose(state: TcpState): TcpState {
  switch (state) {
    case TcpState.LISTEN:
    case TcpState.SYN_SENT:
      return TcpState.CLOSE;
    case TcpState.SYN_RECV:
    case TcpState.ESTABLISHED:
      return TcpState.FIN_WAIT1;
    case TcpState.CLOSE_WAIT:
      return TcpState.LAST_ACK;
    case TcpState.CLOSE:
    case TcpState.FIN_WAIT1:
    case TcpState.FIN_WAIT2:
    case TcpState.CLOSING:
    case TcpState.LAST_ACK:
    case TcpState.TIME_WAIT:
      return state;
  }
}

/** Whether both sides' initial sequence numbers are agreed on. */
export function isSynchronized(state: TcpState): boolean {
  switch (state) {
    case TcpState.CLOSE:
    case TcpState.LISTEN:
    case TcpState.SYN_SENT:
    case TcpState.SYN_RECV:
      return false;
    case TcpState.ESTABLISHED:
    case TcpState.FIN_WAIT1:
    case TcpState.FIN_WAIT2:
    case TcpState.CLOSE_WAIT:
    case TcpState.CLOSING:
    case TcpState.LAST_ACK:
    case TcpState.TIME_WAIT:
      return true;
  }
}

/** Whether text of the peer is taken: RFC 9293 section 3.10.7.4, seventh. */
export function canReceiveText(state: TcpState): boolean {
  return state === TcpState.ESTABLISHED || state === TcpState.FIN_WAIT1 || state === TcpState.FIN_WAIT2;
}

/** Whether the application may queue text: RFC 9293 section 3.10.2. */
export function canQueueText(state: TcpState): boolean {
  switch (state) {
    case TcpState.SYN_SENT:
    case TcpState.SYN_RECV:
    case TcpState.ESTABLISHED:
    case TcpState.CLOSE_WAIT:
      return true;
    case TcpState.CLOSE:
    case TcpState.LISTEN:
    case TcpState.FIN_WAIT1:
    case TcpState.FIN_WAIT2:
    case TcpState.CLOSING:
    case TcpState.LAST_ACK:
    case TcpState.TIME_WAIT:
      return false;
  }
}

/** Whether our FIN is out, or waits behind text, and has not been acknowledged. */
export function isClosing(state: TcpState): boolean {
  return state === TcpState.FIN_WAIT1 || state === TcpState.CLOSING || state === TcpState.LAST_ACK;
}

/** Whether segments with text or our FIN may be (re)transmitted. */
export function canTransmit(state: TcpState): boolean {
  switch (state) {
    case TcpState.ESTABLISHED:
    case TcpState.CLOSE_WAIT:
    case TcpState.FIN_WAIT1:
    case TcpState.CLOSING:
    case TcpState.LAST_ACK:
      return true;
    case TcpState.CLOSE:
    case TcpState.LISTEN:
    case TcpState.SYN_SENT:
    case TcpState.SYN_RECV:
    case TcpState.FIN_WAIT2:
    case TcpState.TIME_WAIT:
      return false;
  }
}
