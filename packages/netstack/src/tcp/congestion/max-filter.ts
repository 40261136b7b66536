/** The largest value of the last `windowLen` rounds, kept as three estimates: Kathleen Nichols' windowed filter. */
export class MaxFilter {
  readonly #windowLen: number;
  readonly #values = [0, 0, 0];
  readonly #rounds = [0, 0, 0];

  constructor(windowLen: number) {
    this.#windowLen = windowLen;
  }

  /** 0 before the first value. */
  get best(): number {
    return this.#values[0]!;
  }

  update(value: number, round: number): void {
    const values = this.#values;
    const rounds = this.#rounds;
    if (value >= values[0]! || round - rounds[2]! > this.#windowLen) {
      this.#setFrom(0, value, round);
      return;
    }
    if (value >= values[1]!) this.#setFrom(1, value, round);
    else if (value >= values[2]!) this.#setFrom(2, value, round);

    const age = round - rounds[0]!;
    if (age > this.#windowLen) {
      // The best has grown too old: the next ones move up, twice if need be.
      this.#shift(value, round);
      if (round - rounds[0]! > this.#windowLen) this.#shift(value, round);
    } else if (rounds[1] === rounds[0] && age > this.#windowLen / 4) {
      this.#setFrom(1, value, round);
    } else if (rounds[2] === rounds[1] && age > this.#windowLen / 2) {
      this.#setFrom(2, value, round);
    }
  }

  #shift(value: number, round: number): void {
    this.#values[0] = this.#values[1]!;
    this.#rounds[0] = this.#rounds[1]!;
    this.#values[1] = this.#values[2]!;
    this.#rounds[1] = this.#rounds[2]!;
    this.#values[2] = value;
    this.#rounds[2] = round;
  }

  #setFrom(index: number, value: number, round: number): void {
    for (let i = index; i < 3; i++) {
      this.#values[i] = value;
      this.#rounds[i] = round;
    }
  }
}
