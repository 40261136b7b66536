import type { IpAddress } from '../wire/ip-address.js';
import type { TakenConnection } from '../policy/interceptor.js';
import type { Conntrack } from './conntrack.js';
import type { Flow } from './flow.js';
import type { FilterContext } from './rule.js';

/** What a policy has said about a flow. */
export const FlowVerdict = { UNDECIDED: 0, ALLOW: 1, DENY: 2 } as const;
export type FlowVerdict = (typeof FlowVerdict)[keyof typeof FlowVerdict];

/** Decides about new flows, whether ours or forwarded. */
export interface FlowPolicy {
  /** Sets `flow.verdict`, and may translate its destination by `conntrack`. Called for its first packet. */
  decide(flow: Flow, context: Readonly<FilterContext>, conntrack: Conntrack): void;
}

/** A flow as a program's hook sees it. */
export interface FlowRequest {
  /** `IPPROTO_*`. */
  readonly protocol: number;
  readonly src: IpAddress;
  readonly srcPort: number;
  readonly dst: IpAddress;
  readonly dstPort: number;
  /** Names that the destination was resolved from, the latest last; empty if it was not resolved here. */
  readonly names: readonly string[];
  /** What the client asked TLS or HTTP for; null if it did not, or is not looked at (yet). */
  readonly serverName: string | null;
  readonly httpHost: string | null;
  /** Whether it comes from the stack's own sockets, or is forwarded or incoming. */
  readonly isOutgoing: boolean;
}

/** What a hook answers. */
export type FlowDecision =
  | { readonly action: 'allow' }
  | { readonly action: 'deny' }
  | { readonly action: 'redirect'; readonly address: IpAddress; readonly port: number }
  /** Lets through so much in both directions; what is more is dropped. */
  | { readonly action: 'limit'; readonly bytesPerSec: number; readonly burstBytes: number }
  /** Asks again when the client has said whom it wants (TLS, HTTP), before anything goes out. TCP only. */
  | { readonly action: 'inspect' }
  /** Ends the connection here and hands it to the program. TCP only. */
  | { readonly action: 'take-over'; readonly accept: (connection: TakenConnection) => void };
