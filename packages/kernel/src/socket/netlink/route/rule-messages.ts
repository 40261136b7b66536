import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EAFNOSUPPORT,
  EEXIST,
  EINVAL,
  ENOBUFS,
  ENOENT,
  EOPNOTSUPP,
  FIB_RULE_INVERT,
  FRA_DST,
  FRA_FWMARK,
  FRA_FWMASK,
  FRA_IIFNAME,
  FRA_OIFNAME,
  FRA_PRIORITY,
  FRA_PROTOCOL,
  FRA_SRC,
  FRA_SUPPRESS_PREFIXLEN,
  FRA_TABLE,
  FR_ACT_TO_TBL,
  NLM_F_EXCL,
  RTM_DELRULE,
  RTM_DST_LEN,
  RTM_FLAGS,
  RTM_NEWRULE,
  RTM_SRC_LEN,
  RTM_TABLE,
  RTM_TYPE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_RULE,
  RT_TABLE_COMPAT,
  RT_TABLE_LOCAL,
  SIZEOF_RTMSG,
  type Errno,
} from '@tsv/abi';
import { FR_ACT_BLACKHOLE, FR_ACT_PROHIBIT, FR_ACT_UNREACHABLE, type IpPrefix, type RoutingRule } from '@tsv/netstack';
import { deviceNamed } from '../../device/net-device.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { Attribute, NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';
import { notifyGroup } from '../notify-group.js';

/** The local table is asked before all others, and stays so. */
const LOCAL_RULES: readonly RoutingRule[] = [false, true].map((isIpv6) => ({
  priority: 0,
  isIpv6,
  action: FR_ACT_TO_TBL,
  table: RT_TABLE_LOCAL,
}));
const ACTIONS: ReadonlySet<number> = new Set([FR_ACT_TO_TBL, FR_ACT_BLACKHOLE, FR_ACT_UNREACHABLE, FR_ACT_PROHIBIT]);
/** `suppress_prefixlength`, of which -1 is none. */
const NO_SUPPRESSION = 0xffff_ffff;
/** Tables that a byte cannot name. */
const TABLE_BYTE_MAX = 255;
const PRIORITY_MAX = 0xffff_ffff;

/** What a message says of a rule; what it does not say is undefined. */
interface RuleSpec {
  readonly isIpv6: boolean;
  readonly priority: number | undefined;
  readonly source: IpPrefix | undefined;
  readonly destination: IpPrefix | undefined;
  readonly inNicId: number | undefined;
  readonly outNicId: number | undefined;
  readonly mark: number | undefined;
  readonly markMask: number | undefined;
  readonly isInverted: boolean;
  readonly action: number;
  readonly table: number;
}

/** RTM_GETRULE: the rules of one family or of both, ip-rule(8). */
export function getRules(request: NetlinkRequest, reply: NetlinkReply): 0 {
  for (const family of [AF_INET, AF_INET6]) {
    if (request.family !== AF_UNSPEC && request.family !== family) continue;
    for (const rule of [...LOCAL_RULES, ...request.stack.rules.rules]) {
      if (rule.isIpv6 === (family === AF_INET6)) writeRule(reply.begin(RTM_NEWRULE), request, rule);
    }
  }
  return 0;
}

/** RTM_NEWRULE and RTM_DELRULE. Errors: EAFNOSUPPORT, EEXIST, EINVAL, ENOBUFS, ENOENT, EOPNOTSUPP. */
export function changeRule(request: NetlinkRequest): 0 | Errno {
  const spec = loadRule(request);
  if (typeof spec === 'number') return spec;
  const { rules } = request.stack;
  if (request.type === RTM_DELRULE) {
    const found = rules.rules.find((rule) => isMeant(rule, spec));
    if (found === undefined) return -ENOENT;
    rules.remove((rule) => rule === found);
    notifyRule(request, found, RTM_DELRULE);
    return 0;
  }
  if (!ACTIONS.has(spec.action)) return -EINVAL;
  if (spec.action === FR_ACT_TO_TBL && request.stack.routingTable(spec.table) === undefined) return -ENOBUFS;
  const rule = ruleOf(spec, spec.priority ?? nextPriority(rules.rules, spec.isIpv6));
  if ((request.flags & NLM_F_EXCL) !== 0 && rules.rules.some((other) => isSame(other, rule))) return -EEXIST;
  if (!rules.add(rule)) return -ENOBUFS;
  notifyRule(request, rule, RTM_NEWRULE);
  return 0;
}

/** As Linux: one before the first rule behind that of the local table. */
function nextPriority(rules: readonly RoutingRule[], isIpv6: boolean): number {
  const first = rules.find((rule) => rule.isIpv6 === isIpv6 && rule.priority > 0);
  return first === undefined ? 0 : first.priority - 1;
}

function loadRule(request: NetlinkRequest): RuleSpec | Errno {
  const attributes = request.attributes(SIZEOF_RTMSG);
  if (typeof attributes === 'number') return attributes;
  const { bytes, view, at, family } = request;
  if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
  const isIpv6 = family === AF_INET6;
  const source = prefixOf(request, attributes.get(FRA_SRC), bytes[at + RTM_SRC_LEN]!, isIpv6);
  const destination = prefixOf(request, attributes.get(FRA_DST), bytes[at + RTM_DST_LEN]!, isIpv6);
  const inNicId = deviceOf(request, attributes.get(FRA_IIFNAME));
  const outNicId = deviceOf(request, attributes.get(FRA_OIFNAME));
  if (source === null || destination === null) return -EINVAL;
  // A rule for a device that there is not yet would have to wait for it.
  if (inNicId === null || outNicId === null) return -EOPNOTSUPP;
  if ((request.u32(attributes.get(FRA_SUPPRESS_PREFIXLEN)) ?? NO_SUPPRESSION) !== NO_SUPPRESSION) return -EOPNOTSUPP;
  const mark = request.u32(attributes.get(FRA_FWMARK));
  return {
    isIpv6,
    priority: request.u32(attributes.get(FRA_PRIORITY)),
    source,
    destination,
    inNicId,
    outNicId,
    mark: mark === undefined ? undefined : mark | 0,
    markMask: mark === undefined ? undefined : (request.u32(attributes.get(FRA_FWMASK)) ?? PRIORITY_MAX) | 0,
    isInverted: (view.getUint32(at + RTM_FLAGS, true) & FIB_RULE_INVERT) !== 0,
    action: bytes[at + RTM_TYPE]!,
    table: request.u32(attributes.get(FRA_TABLE)) ?? bytes[at + RTM_TABLE]!,
  };
}

/** The prefix in an attribute, undefined for none, null if it is malformed. */
function prefixOf(
  request: NetlinkRequest,
  attribute: Attribute | undefined,
  prefixLen: number,
  isIpv6: boolean,
): IpPrefix | undefined | null {
  if (attribute === undefined) return prefixLen === 0 ? undefined : null;
  const address = request.address(attribute);
  if (address === undefined || address.isIpv4 === isIpv6 || prefixLen > (isIpv6 ? 128 : 32)) return null;
  return { address, prefixLen };
}

/** The number of the device that an attribute names, undefined for none, null if there is no such device. */
function deviceOf(request: NetlinkRequest, attribute: Attribute | undefined): number | undefined | null {
  const name = request.string(attribute);
  return name === undefined ? undefined : (deviceNamed(request.stack, name)?.id ?? null);
}

function ruleOf(spec: RuleSpec, priority: number): RoutingRule {
  const { isIpv6, action, table, isInverted, source, destination, inNicId, outNicId, mark, markMask } = spec;
  return {
    ...{ priority, isIpv6, action, table, isInverted },
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination }),
    ...(inNicId !== undefined && { inNicId }),
    ...(outNicId !== undefined && { outNicId }),
    ...(mark !== undefined && { mark }),
    ...(markMask !== undefined && { markMask }),
  };
}

/** Whether a message that removes a rule means this one: by what it says. */
function isMeant(rule: RoutingRule, spec: RuleSpec): boolean {
  return (
    rule.isIpv6 === spec.isIpv6 &&
    (spec.priority === undefined || rule.priority === spec.priority) &&
    (spec.action === 0 || rule.action === spec.action) &&
    (spec.table === 0 || rule.table === spec.table) &&
    (spec.source === undefined || isSamePrefix(rule.source, spec.source)) &&
    (spec.destination === undefined || isSamePrefix(rule.destination, spec.destination)) &&
    (spec.inNicId === undefined || rule.inNicId === spec.inNicId) &&
    (spec.outNicId === undefined || rule.outNicId === spec.outNicId) &&
    (spec.mark === undefined || (rule.mark === spec.mark && rule.markMask === spec.markMask)) &&
    (!spec.isInverted || rule.isInverted === true)
  );
}

function isSame(rule: RoutingRule, other: RoutingRule): boolean {
  return (
    rule.priority === other.priority &&
    rule.isIpv6 === other.isIpv6 &&
    rule.action === other.action &&
    rule.table === other.table &&
    (rule.isInverted ?? false) === (other.isInverted ?? false) &&
    isSamePrefix(rule.source, other.source) &&
    isSamePrefix(rule.destination, other.destination) &&
    rule.inNicId === other.inNicId &&
    rule.outNicId === other.outNicId &&
    rule.mark === other.mark &&
    rule.markMask === other.markMask
  );
}

function isSamePrefix(a: IpPrefix | undefined, b: IpPrefix | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.prefixLen === b.prefixLen && a.address.equals(b.address);
}

function writeRule(writer: NetlinkWriter, request: NetlinkRequest, rule: RoutingRule): void {
  const at = writer.extend(SIZEOF_RTMSG);
  const { view } = writer;
  view.setUint8(at, rule.isIpv6 ? AF_INET6 : AF_INET);
  view.setUint8(at + RTM_DST_LEN, rule.destination?.prefixLen ?? 0);
  view.setUint8(at + RTM_SRC_LEN, rule.source?.prefixLen ?? 0);
  view.setUint8(at + RTM_TABLE, rule.table > TABLE_BYTE_MAX ? RT_TABLE_COMPAT : rule.table);
  view.setUint8(at + RTM_TYPE, rule.action);
  view.setUint32(at + RTM_FLAGS, rule.isInverted === true ? FIB_RULE_INVERT : 0, true);
  writer.u32(FRA_TABLE, rule.table);
  writer.u32(FRA_SUPPRESS_PREFIXLEN, NO_SUPPRESSION);
  if (rule.priority !== 0) writer.u32(FRA_PRIORITY, rule.priority);
  if (rule.destination !== undefined) writer.address(FRA_DST, rule.destination.address);
  if (rule.source !== undefined) writer.address(FRA_SRC, rule.source.address);
  writeDevice(writer, FRA_IIFNAME, request, rule.inNicId);
  writeDevice(writer, FRA_OIFNAME, request, rule.outNicId);
  if (rule.mark !== undefined) {
    writer.u32(FRA_FWMARK, rule.mark);
    writer.u32(FRA_FWMASK, rule.markMask ?? PRIORITY_MAX);
  }
  writer.u8(FRA_PROTOCOL, 0);
  writer.end();
}

function writeDevice(writer: NetlinkWriter, type: number, request: NetlinkRequest, nicId: number | undefined): void {
  const nic = nicId === undefined ? undefined : request.stack.nic(nicId);
  if (nic !== undefined) writer.string(type, nic.name);
}

function notifyRule(request: NetlinkRequest, rule: RoutingRule, type: number): void {
  notifyGroup(request.net, 0, rule.isIpv6 ? RTNLGRP_IPV6_RULE : RTNLGRP_IPV4_RULE, (writer) => {
    writer.begin(type, 0, request.seq, 0);
    writeRule(writer, request, rule);
  });
}
