import type { Errno } from '@tsv/abi';
import type { NetlinkReply } from './netlink-reply.js';
import type { NetlinkRequest } from './netlink-request.js';

/** What one netlink protocol does with the requests of programs. */
export interface NetlinkProtocol {
  /** Carries a request out and writes what answers it, but neither the acknowledgement nor the end of a dump. */
  handle(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno;
  /** Multicast groups that there are. */
  readonly groupCount: number;
  /** Whether only who has CAP_NET_ADMIN may listen to the groups. */
  readonly isForAdmins?: boolean;
}
