// As much of an iperf3 server as one TCP stream in either direction needs: the control connection's states are bytes,
// its parameters and results JSON behind a length.
import { createServer } from '@tsv/netstack/net';

const COOKIE_BYTES = 37;
const TEST_START = 1;
const TEST_RUNNING = 2;
const TEST_END = 4;
const PARAM_EXCHANGE = 9;
const CREATE_STREAMS = 10;
const EXCHANGE_RESULTS = 13;
const DISPLAY_RESULTS = 14;
const IPERF_DONE = 16;
const CHUNK = Buffer.alloc(131_072, 'iperf3');

/** Serves one test after another on port 5201. */
export function serveIperf3(stack) {
  let test = null;
  return createServer(stack, (stream) => {
    const reader = new Reader(stream);
    stream.on('error', () => stream.destroy());
    reader.take(COOKIE_BYTES, (cookie) => {
      if (test !== null && test.isWaiting && cookie.equals(test.cookie)) return test.addStream(stream, reader);
      test = new Test(stream, reader, cookie);
    });
  }).listen({ port: 5201 });
}

class Test {
  isWaiting = false;
  #control;
  #reader;
  #bytes = 0;
  #isReverse = false;
  #isOver = false;

  constructor(control, reader, cookie) {
    this.#control = control;
    this.#reader = reader;
    this.cookie = cookie;
    this.#say(PARAM_EXCHANGE);
    this.#readJson((parameters) => {
      this.#isReverse = parameters.reverse === true;
      this.isWaiting = true;
      this.#say(CREATE_STREAMS);
    });
  }

  addStream(stream, reader) {
    this.isWaiting = false;
    this.#say(TEST_START);
    this.#say(TEST_RUNNING);
    if (this.#isReverse) this.#pour(stream);
    else reader.drain((count) => (this.#bytes += count));
    this.#reader.take(1, ([state]) => {
      if (state === TEST_END) this.#exchangeResults(stream);
    });
  }

  #pour(stream) {
    while (!this.#isOver && !stream.destroyed) {
      this.#bytes += CHUNK.length;
      if (!stream.write(CHUNK)) return void stream.once('drain', () => this.#pour(stream));
    }
  }

  #exchangeResults(stream) {
    this.#isOver = true;
    // A client that receives waits for the end of the stream before it looks at the control connection again.
    stream.end();
    this.#say(EXCHANGE_RESULTS);
    this.#readJson(() => {
      const ofStream = {
        id: 1,
        bytes: this.#bytes,
        retransmits: -1,
        jitter: 0,
        errors: 0,
        packets: 0,
        start_time: 0,
        end_time: 1,
      };
      const results = {
        cpu_util_total: 0,
        cpu_util_user: 0,
        cpu_util_system: 0,
        sender_has_retransmits: -1,
        streams: [ofStream],
      };
      this.#writeJson(results);
      this.#say(DISPLAY_RESULTS);
      this.#reader.take(1, ([state]) => {
        if (state === IPERF_DONE) this.#control.end();
      });
    });
  }

  #say(state) {
    this.#control.write(Buffer.of(state));
  }

  #writeJson(value) {
    const text = Buffer.from(JSON.stringify(value));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(text.length);
    this.#control.write(Buffer.concat([head, text]));
  }

  #readJson(told) {
    this.#reader.take(4, (head) => this.#reader.take(head.readUInt32BE(), (text) => told(JSON.parse(text.toString()))));
  }
}

/** Gives out what a stream brings in pieces of known length. */
class Reader {
  #held = Buffer.alloc(0);
  #wanted = 0;
  #told = null;

  constructor(stream) {
    stream.on('data', (chunk) => {
      if (this.#wanted === Infinity) return this.#told(chunk.length);
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      this.#give();
    });
  }

  take(len, told) {
    this.#wanted = len;
    this.#told = told;
    this.#give();
  }

  /** Counts everything that comes from now on. */
  drain(told) {
    this.#wanted = Infinity;
    this.#told = told;
    if (this.#held.length > 0) told(this.#held.length);
    this.#held = Buffer.alloc(0);
  }

  #give() {
    if (this.#told === null || this.#wanted === Infinity || this.#held.length < this.#wanted) return;
    const piece = this.#held.subarray(0, this.#wanted);
    this.#held = this.#held.subarray(this.#wanted);
    const told = this.#told;
    this.#told = null;
    told(piece);
  }
}
