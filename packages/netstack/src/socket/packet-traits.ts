/**
 * What a socket's options and its owner say of the packets of a connection. Never changed, so that connections of which
 * the same is said share it.
 */
export class PacketTraits {
  /** 0 for the stack's. */
  readonly ttl: number;
  readonly trafficClass: number;
  readonly mark: number;
  readonly ownerUid: number;
  readonly ownerGid: number;
  readonly mayFragment: boolean;

  constructor(ttl = 0, trafficClass = 0, mark = 0, ownerUid = -1, ownerGid = -1, mayFragment = false) {
    this.ttl = ttl;
    this.trafficClass = trafficClass;
    this.mark = mark;
    this.ownerUid = ownerUid;
    this.ownerGid = ownerGid;
    this.mayFragment = mayFragment;
  }

  equals(other: PacketTraits): boolean {
    return (
      this.ttl === other.ttl &&
      this.trafficClass === other.trafficClass &&
      this.mark === other.mark &&
      this.ownerUid === other.ownerUid &&
      this.ownerGid === other.ownerGid &&
      this.mayFragment === other.mayFragment
    );
  }
}

/** Those of packets that no socket sends. */
export const NO_TRAITS = new PacketTraits();
