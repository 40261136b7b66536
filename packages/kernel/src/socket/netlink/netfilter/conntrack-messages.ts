import {
  AF_UNSPEC,
  CTA_ID,
  CTA_MARK,
  CTA_MARK_MASK,
  CTA_STATS_GLOBAL_ENTRIES,
  CTA_STATS_GLOBAL_MAX_ENTRIES,
  CTA_STATS_INSERT_FAILED,
  CTA_TIMEOUT,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_REPLY,
  EEXIST,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPCTNL_MSG_CT_GET_CTRZERO,
  IPCTNL_MSG_CT_GET_DYING,
  IPCTNL_MSG_CT_GET_STATS,
  IPCTNL_MSG_CT_GET_STATS_CPU,
  IPCTNL_MSG_CT_GET_UNCONFIRMED,
  IPCTNL_MSG_CT_NEW,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  SIZEOF_NFGENMSG,
  type Errno,
} from '@tsv/abi';
import { FLOW_COUNT_MAX, type Conntrack, type Flow } from '@tsv/netstack';
import type { NetlinkReply } from '../netlink-reply.js';
import type { Attribute, NetlinkRequest } from '../netlink-request.js';
import { familyOfFlow, writeFlow } from './flow-message.js';
import { loadTuple } from './flow-tuple.js';

type Attributes = ReadonlyMap<number, Attribute>;

/**
 * A message about tracked connections, as conntrack(8) sends them. A namespace that tracks none has an empty table.
 * Errors: EEXIST, EINVAL, ENOENT, EOPNOTSUPP.
 */
export function handleConntrack(request: NetlinkRequest, type: number, reply: NetlinkReply): 0 | Errno {
  const attributes = request.attributes(SIZEOF_NFGENMSG);
  if (typeof attributes === 'number') return attributes;
  const conntrack = request.net.netfilter?.conntrack ?? null;
  switch (type) {
    case IPCTNL_MSG_CT_GET:
    case IPCTNL_MSG_CT_GET_CTRZERO:
      if (!request.isDump) return getFlow(request, attributes, conntrack, reply);
      dumpFlows(request, attributes, conntrack, reply);
      return 0;
    case IPCTNL_MSG_CT_DELETE:
      return deleteFlows(request, attributes, conntrack);
    case IPCTNL_MSG_CT_NEW:
      return changeFlow(request, attributes, conntrack);
    case IPCTNL_MSG_CT_GET_STATS:
      writeCounts(reply, conntrack);
      return 0;
    case IPCTNL_MSG_CT_GET_STATS_CPU:
      writeFailures(reply, conntrack);
      return 0;
    case IPCTNL_MSG_CT_GET_DYING:
    case IPCTNL_MSG_CT_GET_UNCONFIRMED:
      // No flow waits in either state.
      return request.isDump ? 0 : -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
}

function getFlow(
  request: NetlinkRequest,
  attributes: Attributes,
  conntrack: Conntrack | null,
  reply: NetlinkReply,
): 0 | Errno {
  const flow = findFlow(request, attributes, conntrack);
  if (typeof flow === 'number') return flow;
  writeFlow(reply.begin(messageType(IPCTNL_MSG_CT_NEW)), flow, request.stack.clock.monotonicMs());
  return 0;
}

/** Flows of the family that is asked for, and with the mark. */
function dumpFlows(
  request: NetlinkRequest,
  attributes: Attributes,
  conntrack: Conntrack | null,
  reply: NetlinkReply,
): void {
  const mark = request.be32(attributes.get(CTA_MARK));
  const mask = request.be32(attributes.get(CTA_MARK_MASK)) ?? 0xffffffff;
  const { family } = request;
  for (const flow of conntrack?.flows() ?? []) {
    if (family !== AF_UNSPEC && familyOfFlow(flow) !== family) continue;
    if (mark !== undefined && (flow.mark & mask) >>> 0 !== mark) continue;
    writeFlow(reply.begin(messageType(IPCTNL_MSG_CT_NEW)), flow, request.stack.clock.monotonicMs());
  }
}

/** Forgets one flow, or without a tuple all of the family. */
function deleteFlows(request: NetlinkRequest, attributes: Attributes, conntrack: Conntrack | null): 0 | Errno {
  if (attributes.has(CTA_TUPLE_ORIG) || attributes.has(CTA_TUPLE_REPLY)) {
    const flow = findFlow(request, attributes, conntrack);
    if (typeof flow === 'number') return flow;
    conntrack!.delete(flow);
    return 0;
  }
  const { family } = request;
  for (const flow of [...(conntrack?.flows() ?? [])]) {
    if (family === AF_UNSPEC || familyOfFlow(flow) === family) conntrack!.delete(flow);
  }
  return 0;
}

/** Changes mark and lifetime of a flow. Flows are made by packets alone: EOPNOTSUPP. */
function changeFlow(request: NetlinkRequest, attributes: Attributes, conntrack: Conntrack | null): 0 | Errno {
  const flow = findFlow(request, attributes, conntrack);
  if (flow === -ENOENT && (request.flags & NLM_F_CREATE) !== 0) return -EOPNOTSUPP;
  if (typeof flow === 'number') return flow;
  if ((request.flags & NLM_F_EXCL) !== 0) return -EEXIST;
  const mark = request.be32(attributes.get(CTA_MARK));
  const mask = request.be32(attributes.get(CTA_MARK_MASK)) ?? 0xffffffff;
  if (mark !== undefined) flow.mark = (flow.mark & ~mask) ^ mark;
  const timeoutSec = request.be32(attributes.get(CTA_TIMEOUT));
  if (timeoutSec !== undefined) conntrack!.setTimeout(flow, timeoutSec * 1000);
  return 0;
}

/** The flow of CTA_TUPLE_ORIG or else CTA_TUPLE_REPLY, and if it is told with that CTA_ID. Errors: EINVAL, ENOENT. */
function findFlow(request: NetlinkRequest, attributes: Attributes, conntrack: Conntrack | null): Flow | Errno {
  const attribute = attributes.get(CTA_TUPLE_ORIG) ?? attributes.get(CTA_TUPLE_REPLY);
  if (attribute === undefined) return -EINVAL;
  const tuple = loadTuple(request, attribute);
  if (typeof tuple === 'number') return tuple;
  const flow = conntrack?.flowOfTuple(tuple) ?? null;
  const id = request.be32(attributes.get(CTA_ID));
  return flow === null || (id !== undefined && id !== flow.id) ? -ENOENT : flow;
}

function writeCounts(reply: NetlinkReply, conntrack: Conntrack | null): void {
  const writer = reply.begin(messageType(IPCTNL_MSG_CT_GET_STATS));
  writer.extend(SIZEOF_NFGENMSG);
  writer.be32(CTA_STATS_GLOBAL_ENTRIES, conntrack?.count ?? 0);
  writer.be32(CTA_STATS_GLOBAL_MAX_ENTRIES, FLOW_COUNT_MAX);
  writer.end();
}

/** There is one table for all processors, and one count of what goes wrong. */
function writeFailures(reply: NetlinkReply, conntrack: Conntrack | null): void {
  const writer = reply.begin(messageType(IPCTNL_MSG_CT_GET_STATS_CPU));
  writer.extend(SIZEOF_NFGENMSG);
  writer.be32(CTA_STATS_INSERT_FAILED, conntrack?.droppedCount ?? 0);
  writer.end();
}

function messageType(type: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | type;
}
