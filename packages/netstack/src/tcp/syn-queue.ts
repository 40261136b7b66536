import type { Segment } from './segment.js';
import type { SynReceived } from './syn-received.js';

/** Handshakes under way at a listener, found by the peer's address and port. */
export class SynQueue {
  readonly #byHash = new Map<number, SynReceived[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  find(seg: Readonly<Segment>): SynReceived | null {
    const bucket = this.#byHash.get(hashOf(seg.src.w3, seg.srcPort));
    if (bucket === undefined) return null;
    for (let i = 0; i < bucket.length; i++) {
      const syn = bucket[i]!;
      if (syn.remotePort === seg.srcPort && syn.remote.equals(seg.src) && syn.local.equals(seg.dst)) return syn;
    }
    return null;
  }

  add(syn: SynReceived): void {
    const hash = hashOf(syn.remote.w3, syn.remotePort);
    const bucket = this.#byHash.get(hash);
    if (bucket === undefined) this.#byHash.set(hash, [syn]);
    else bucket.push(syn);
    this.#count++;
  }

  delete(syn: SynReceived): void {
    const hash = hashOf(syn.remote.w3, syn.remotePort);
    const bucket = this.#byHash.get(hash);
    const index = bucket?.indexOf(syn) ?? -1;
    if (bucket === undefined || index < 0) return;
    bucket.splice(index, 1);
    if (bucket.length === 0) this.#byHash.delete(hash);
    this.#count--;
  }

  /** All handshakes. Those that are deleted meanwhile may be missed. */
  *[Symbol.iterator](): Generator<SynReceived> {
    for (const bucket of this.#byHash.values()) yield* bucket;
  }

  clear(): void {
    this.#byHash.clear();
    this.#count = 0;
  }
}

function hashOf(word: number, port: number): number {
  return (word ^ Math.imul(port, 0x9e3779b1)) | 0;
}
