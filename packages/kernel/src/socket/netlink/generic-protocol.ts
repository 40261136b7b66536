import {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_ATTR_HDRSIZE,
  CTRL_ATTR_MAXATTR,
  CTRL_ATTR_VERSION,
  CTRL_CMD_GETFAMILY,
  CTRL_CMD_NEWFAMILY,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  GENL_ID_CTRL,
  SIZEOF_GENLMSGHDR,
  type Errno,
} from '@tsv/abi';
import type { NetlinkProtocol } from './netlink-protocol.js';
import type { NetlinkReply } from './netlink-reply.js';
import type { NetlinkRequest } from './netlink-request.js';

const CONTROLLER = 'nlctrl';
const CONTROLLER_VERSION = 2;
const CONTROLLER_ATTRIBUTE_MAX = 10;

/** NETLINK_GENERIC: the controller, which knows of no family but itself. */
export const genericProtocol: NetlinkProtocol = {
  groupCount: 32,

  /** Errors: EINVAL, ENOENT for families that there are none of, EOPNOTSUPP. */
  handle(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
    if (request.type !== GENL_ID_CTRL) return -ENOENT;
    const attributes = request.attributes(SIZEOF_GENLMSGHDR);
    if (typeof attributes === 'number') return attributes;
    if (request.bytes[request.at] !== CTRL_CMD_GETFAMILY) return -EOPNOTSUPP;
    if (!request.isDump) {
      const name = request.string(attributes.get(CTRL_ATTR_FAMILY_NAME));
      const id = attributes.get(CTRL_ATTR_FAMILY_ID);
      if (name === undefined && id === undefined) return -EINVAL;
      const isController =
        name === CONTROLLER || (id?.len === 2 && request.view.getUint16(id.at, true) === GENL_ID_CTRL);
      if (!isController) return -ENOENT;
    }
    const writer = reply.begin(GENL_ID_CTRL);
    const at = writer.extend(SIZEOF_GENLMSGHDR);
    writer.view.setUint8(at, CTRL_CMD_NEWFAMILY);
    writer.view.setUint8(at + 1, CONTROLLER_VERSION);
    writer.string(CTRL_ATTR_FAMILY_NAME, CONTROLLER);
    writer.u16(CTRL_ATTR_FAMILY_ID, GENL_ID_CTRL);
    writer.u32(CTRL_ATTR_VERSION, CONTROLLER_VERSION);
    writer.u32(CTRL_ATTR_HDRSIZE, 0);
    writer.u32(CTRL_ATTR_MAXATTR, CONTROLLER_ATTRIBUTE_MAX);
    writer.end();
    return 0;
  },
};
