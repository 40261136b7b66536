import {
  AF_INET,
  AF_INET6,
  CTA_ID,
  CTA_MARK,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_STATE,
  CTA_STATUS,
  CTA_TIMEOUT,
  CTA_TUPLE_ORIG,
  CTA_TUPLE_REPLY,
  CTA_USE,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_DST_NAT,
  IPS_DST_NAT_DONE,
  IPS_SEEN_REPLY,
  IPS_SRC_NAT,
  IPS_SRC_NAT_DONE,
  NFGEN_FAMILY,
  SIZEOF_NFGENMSG,
  TCP_CONNTRACK_CLOSE,
  TCP_CONNTRACK_CLOSE_WAIT,
  TCP_CONNTRACK_ESTABLISHED,
  TCP_CONNTRACK_FIN_WAIT,
  TCP_CONNTRACK_LAST_ACK,
  TCP_CONNTRACK_NONE,
  TCP_CONNTRACK_SYN_RECV,
  TCP_CONNTRACK_SYN_SENT,
  TCP_CONNTRACK_TIME_WAIT,
} from '@tsv/abi';
import { FlowState, IPPROTO_TCP, type Flow } from '@tsv/netstack';
import type { NetlinkWriter } from '../netlink-writer.js';
import { writeTuple } from './flow-tuple.js';

const TCP_STATES: Readonly<Record<FlowState, number>> = {
  [FlowState.NONE]: TCP_CONNTRACK_NONE,
  [FlowState.SYN_SENT]: TCP_CONNTRACK_SYN_SENT,
  [FlowState.SYN_RECV]: TCP_CONNTRACK_SYN_RECV,
  [FlowState.ESTABLISHED]: TCP_CONNTRACK_ESTABLISHED,
  [FlowState.FIN_WAIT]: TCP_CONNTRACK_FIN_WAIT,
  [FlowState.CLOSE_WAIT]: TCP_CONNTRACK_CLOSE_WAIT,
  [FlowState.LAST_ACK]: TCP_CONNTRACK_LAST_ACK,
  [FlowState.TIME_WAIT]: TCP_CONNTRACK_TIME_WAIT,
  [FlowState.CLOSE]: TCP_CONNTRACK_CLOSE,
};

/** AF_INET or AF_INET6. */
export function familyOfFlow(flow: Flow): number {
  return flow.original.tuple.src.isIpv4 ? AF_INET : AF_INET6;
}

/** Writes what the begun message tells of a flow that was asked for, and ends it. */
export function writeFlow(writer: NetlinkWriter, flow: Flow, nowMs: number): void {
  writeLiving(writer, flow, nowMs);
  writer.be32(CTA_MARK, flow.mark);
  writer.be32(CTA_USE, 1);
  writer.end();
}

/** Writes of a flow that is new or has changed what an event tells, and ends the message. */
export function writeFlowEvent(writer: NetlinkWriter, flow: Flow, nowMs: number): void {
  writeLiving(writer, flow, nowMs);
  if (flow.mark !== 0) writer.be32(CTA_MARK, flow.mark);
  writer.end();
}

/** Writes of a flow that is over what tells which it was, and ends the message. */
export function writeEndedFlow(writer: NetlinkWriter, flow: Flow): void {
  writeEnds(writer, flow);
  writer.be32(CTA_STATUS, statusOf(flow));
  if (flow.mark !== 0) writer.be32(CTA_MARK, flow.mark);
  writer.end();
}

function writeLiving(writer: NetlinkWriter, flow: Flow, nowMs: number): void {
  writeEnds(writer, flow);
  writer.be32(CTA_STATUS, statusOf(flow));
  writer.be32(CTA_TIMEOUT, Math.max(0, Math.floor((flow.expiresMs - nowMs) / 1000)));
  if (flow.original.tuple.protocol === IPPROTO_TCP) {
    const infoAt = writer.nest(CTA_PROTOINFO);
    const tcpAt = writer.nest(CTA_PROTOINFO_TCP);
    writer.u8(CTA_PROTOINFO_TCP_STATE, TCP_STATES[flow.state]);
    writer.endNest(tcpAt);
    writer.endNest(infoAt);
  }
}

function writeEnds(writer: NetlinkWriter, flow: Flow): void {
  const at = writer.extend(SIZEOF_NFGENMSG);
  writer.view.setUint8(at + NFGEN_FAMILY, familyOfFlow(flow));
  writeTuple(writer, CTA_TUPLE_ORIG, flow.original);
  writeTuple(writer, CTA_TUPLE_REPLY, flow.reply);
  writer.be32(CTA_ID, flow.id);
}

function statusOf(flow: Flow): number {
  return (
    IPS_CONFIRMED |
    (flow.hasReply ? IPS_SEEN_REPLY : 0) |
    (flow.isAssured ? IPS_ASSURED : 0) |
    (flow.hasNewSource ? IPS_SRC_NAT : 0) |
    (flow.hasNewDestination ? IPS_DST_NAT : 0) |
    (flow.isSourceSettled ? IPS_SRC_NAT_DONE : 0) |
    (flow.isDestinationSettled ? IPS_DST_NAT_DONE : 0)
  );
}
