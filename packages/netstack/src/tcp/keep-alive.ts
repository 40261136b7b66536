import type { Connection } from './connection.js';

/** Keepalives, RFC 9293 section 3.8.4: off unless the application asks (MUST-24, MUST-25). */
export class KeepAlive {
  /** When to look at the connection next. */
  atMs = 0;
  #probeCount = 0;

  /** Starts, or starts anew after an option was changed. */
  start(connection: Connection, nowMs: number): void {
    this.atMs = Math.max(connection.lastHeardMs + connection.options.keepIdleMs, nowMs);
  }

  /** The peer sent something. */
  onHeard(): void {
    this.#probeCount = 0;
  }

  /** The time has come. True if a probe is to be sent; ends the connection when too many went unanswered. */
  run(connection: Connection, nowMs: number): boolean {
    const { options, sender } = connection;
    const elapsedMs = nowMs - connection.lastHeardMs;
    // While text is out, its own timers watch the peer.
    if (sender.queue.count > 0 || sender.unsentBytes > 0) {
      this.atMs = nowMs + options.keepIdleMs;
      return false;
    }
    if (elapsedMs < options.keepIdleMs) {
      this.atMs = connection.lastHeardMs + options.keepIdleMs;
      return false;
    }
    const isOver =
      options.userTimeoutMs > 0
        ? elapsedMs >= options.userTimeoutMs && this.#probeCount > 0
        : this.#probeCount >= options.keepCount;
    if (isOver) {
      connection.giveUpWithReset();
      return false;
    }
    this.#probeCount++;
    connection.context.counters.TCPKeepAlive++;
    this.atMs = nowMs + options.keepIntervalMs;
    return true;
  }
}
