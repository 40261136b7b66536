import { PacketBuffer, type PacketLender } from '../buffer/packet-buffer.js';

/** Frames of one batch, and those that may be with somebody who keeps them meanwhile. */
export const BATCH_COUNT_MAX = 32;
export const LENT_COUNT_MAX = 64;
const SLOT_COUNT = BATCH_COUNT_MAX + LENT_COUNT_MAX;
/** Shorter frames are copied, for a slot is as much memory as the largest frame takes. */
const LENT_BYTES_MIN = 16_384;
/** Slots are whole cache lines, and frames in them as far from a word boundary as in packet buffers. */
const SLOT_ALIGN = 64;

/**
 * Memory that frames are received into. A long frame goes up the stack where it lies, as a packet whose release gives
 * its slot back.
 */
export class FrameSlots implements PacketLender {
  readonly slotBytes: number;
  readonly #bytes: Uint8Array;
  /** Where each slot begins, to the end of the memory; made when it is first used. */
  readonly #tails: Uint8Array[] = [];
  readonly #packets: PacketBuffer[] = [];
  readonly #isLent = new Uint8Array(SLOT_COUNT);
  #lentCount = 0;
  readonly #lens = Array.from({ length: BATCH_COUNT_MAX + 1 }, (_, count) => new Int32Array(count));
  /** The slots of the batch. */
  #first = 0;
  #count = BATCH_COUNT_MAX;

  constructor(frameBytesMax: number) {
    this.slotBytes = Math.ceil(frameBytesMax / SLOT_ALIGN) * SLOT_ALIGN;
    this.#bytes = new Uint8Array(this.slotBytes * SLOT_COUNT);
  }

  /** Slots that are with somebody. */
  get lentCount(): number {
    return this.#lentCount;
  }

  /** Chooses the slots of the next batch: the first ones that are free, for they are likely to be in a cache. */
  begin(): void {
    let first = 0;
    while (this.#isLent[first] !== 0) first++;
    let count = 1;
    while (count < BATCH_COUNT_MAX && this.#isLent[first + count] === 0) count++;
    this.#first = first;
    this.#count = count;
  }

  /** Memory of the batch, in which the i-th frame goes to `i * slotBytes`. */
  get batchBytes(): Uint8Array {
    return (this.#tails[this.#first] ??= this.#bytes.subarray(this.#first * this.slotBytes));
  }

  /** As many lengths as there are slots in the batch. */
  get batchLens(): Int32Array {
    return this.#lens[this.#count]!;
  }

  /** The `index`-th frame of the batch without its first `headerLen` bytes: in its slot if it is long, else a copy. */
  packet(index: number, headerLen: number, len: number): PacketBuffer {
    const slot = this.#first + index;
    const at = slot * this.slotBytes;
    if (len < LENT_BYTES_MIN || this.#lentCount === LENT_COUNT_MAX) {
      return PacketBuffer.copyOf(this.#bytes, at + headerLen, len - headerLen);
    }
    const packet = (this.#packets[slot] ??= PacketBuffer.lendable(
      this,
      slot,
      this.#bytes.subarray(at, at + this.slotBytes),
    ));
    this.#isLent[slot] = 1;
    this.#lentCount++;
    packet.lend(headerLen, len);
    return packet;
  }

  takeBack(slot: number): void {
    this.#isLent[slot] = 0;
    this.#lentCount--;
  }
}
