import { Timer } from '@tsv/clock';
import type { IpAddress } from '../wire/ip-address.js';
import type { Nic } from './nic.js';

/** One that changes from day to day (RFC 8981), linux/if_addr.h. */
export const IFA_F_TEMPORARY = 0x01;
/** No route to the prefix goes with the address, linux/if_addr.h. */
export const IFA_F_NOPREFIXROUTE = 0x200;

/** What an address is good for: RFC 4862 section 2. */
export const AddressState = {
  /** Not ours before duplicate address detection is done. */
  TENTATIVE: 0,
  PREFERRED: 1,
  /** Works, but new connections shall use another. */
  DEPRECATED: 2,
  /** Another node has it. */
  DUPLICATE: 3,
} as const;
export type AddressState = (typeof AddressState)[keyof typeof AddressState];

/** An address of an interface. Its timer is that of whatever the state waits for. */
export class NicAddress extends Timer {
  readonly nic: Nic;
  readonly address: IpAddress;
  readonly prefixLen: number;
  state: AddressState = AddressState.PREFERRED;
  /** When it ceases to be preferred, and valid; Infinity for an address set by hand. */
  preferredUntilMs = Infinity;
  validUntilMs = Infinity;
  /** Neighbour solicitations still to be sent for duplicate address detection. */
  probesLeft = 0;
  /** Called when the timer fires. Set by its keeper. */
  onTimer: ((entry: NicAddress, nowMs: number) => void) | null = null;
  /** `IFA_F_*`. */
  readonly flags: number;
  readonly #broadcast: number;

  constructor(nic: Nic, address: IpAddress, prefixLen: number, flags: number) {
    super();
    this.nic = nic;
    this.address = address;
    this.prefixLen = prefixLen;
    this.flags = flags;
    this.#broadcast = prefixLen >= 31 ? -1 : address.w3 | (0xffffffff >>> prefixLen);
  }

  /** Whether packets to it are ours. */
  get isAssigned(): boolean {
    return this.state === AddressState.PREFERRED || this.state === AddressState.DEPRECATED;
  }

  /** Whether `address` is the directed broadcast address of this prefix. */
  isBroadcast(address: IpAddress): boolean {
    return this.address.isIpv4 && this.prefixLen < 31 && address.isIpv4 && address.w3 === this.#broadcast;
  }

  fired(nowMs: number): void {
    this.onTimer?.(this, nowMs);
  }
}
