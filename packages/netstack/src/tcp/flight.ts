import type { CongestionControl } from './congestion/congestion-control.js';
import { NewReno } from './congestion/new-reno.js';
import { DeliveryRate } from './delivery-rate.js';
import { LossRecovery } from './loss-recovery.js';
import { MtuProber } from './mtu-prober.js';
import { Rack } from './rack.js';
import { RttEstimator } from './rtt-estimator.js';
import { Scoreboard } from './scoreboard.js';
import { SentQueue } from './sent-queue.js';
import type { TcpSettings } from './tcp-settings.js';

/** Flights kept for the next connections that send; more are left to the garbage collector. */
export const SPARE_FLIGHTS_MAX = 1024;

/** What a flight must know of the connection that takes it. */
export interface FlightOwner {
  readonly settings: Readonly<TcpSettings>;
  readonly rtt: RttEstimator;
  readonly cc: CongestionControl;
  readonly sndUna: number;
  readonly mssBytes: number;
  readonly isSackUsed: boolean;
  /** What is added to milliseconds to make a timestamp. */
  readonly tsOffset: number;
  /** Bytes delivered by the flights before. */
  readonly deliveredBytes: number;
}

/**
 * What a connection needs only while text of it is on its way: the segments sent, and what is made of their
 * acknowledgements. A connection takes a flight with the first segment and gives it back when everything is
 * acknowledged, so that an idle one has none. One that has learned of the path what the next flight must know
 * (reordering, a smaller MTU), and one whose counts TCP_INFO tells, is kept.
 */
export class Flight {
  readonly queue = new SentQueue();
  readonly rack = new Rack();
  readonly rate = new DeliveryRate();
  readonly prober = new MtuProber();
  readonly scoreboard: Scoreboard;
  readonly recovery: LossRecovery;
  /** A loss probe is to go out next. */
  mustProbe = false;
  /** A segment that is not full is out, and where it ends: Nagle's algorithm. */
  hasSmall = false;
  smallEnd = 0;
  /** Acknowledgements up to here are of times at which the window, not the application, limited sending. */
  cwndLimitedSeq = 0;

  constructor(rtt: RttEstimator, cc: CongestionControl) {
    this.scoreboard = new Scoreboard(this.queue, this.rack, this.rate, rtt);
    this.recovery = new LossRecovery(this.queue, this.rack, this.rate, this.prober, rtt, cc);
  }

  /** A flight for `owner`, which has everything acknowledged. */
  static take(owner: FlightOwner): Flight {
    const { settings, rtt, cc, sndUna } = owner;
    const flight = spares.pop() ?? new Flight(rtt, cc);
    flight.mustProbe = false;
    flight.hasSmall = false;
    flight.cwndLimitedSeq = (sndUna - 1) | 0;
    flight.rack.start(sndUna, Math.max(0, rtt.latestMs));
    flight.rate.start(owner.deliveredBytes);
    flight.prober.start(settings, owner.mssBytes);
    flight.scoreboard.start(rtt, owner.tsOffset, owner.mssBytes);
    flight.recovery.start(rtt, cc, sndUna, owner.isSackUsed, settings.isFrtoOn);
    return flight;
  }

  /** Whether nothing of it matters to what its connection sends next. */
  get isOver(): boolean {
    return this.queue.count === 0 && !this.prober.isSearching && !this.rack.hasLearned && !this.recovery.hasLearned;
  }

  /** Gives it back. Preconditions: it is over, and its connection has forgotten it. */
  release(): void {
    if (spares.length < SPARE_FLIGHTS_MAX) spares.push(this);
  }
}

const spares: Flight[] = [];

/** The flight of all connections that have nothing on its way. Only read. */
export const NO_FLIGHT = new Flight(new RttEstimator(), new NewReno());
