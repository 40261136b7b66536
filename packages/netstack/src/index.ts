export { PacketBuffer, PacketFlag, PacketQueue } from './buffer/packet-buffer.js';
export { checksumAdd, checksumFold, checksumUpdate, pseudoHeaderSum4, pseudoHeaderSum6 } from './checksum/checksum.js';
export { NicPort } from './link/nic-port.js';
export { Bridge, BridgePort } from './link/bridge.js';
export { ChannelLink, type ChannelOptions } from './link/channel.js';
export { FdLink, type FdLinkOptions, type FrameDevice } from './link/fd-link.js';
export type { LinkEndpoint, LinkSink } from './link/link-endpoint.js';
export { LoopbackLink } from './link/loopback.js';
export { type Neighbour, NeighbourCache, NeighbourState } from './link/neighbour-cache.js';
export { LINKTYPE_ETHERNET, LINKTYPE_RAW, PcapngWriter } from './link/pcapng.js';
export { PipeLink, type PipeOptions } from './link/pipe.js';
export { describeFrame, TextObserver } from './link/packet-text.js';
export { FifoQdisc, TokenBucketQdisc, type TokenBucketOptions } from './link/qdisc.js';
export { type PacketObserver, PcapngObserver, Sniffer } from './link/sniffer.js';
export { Nic, NicStats } from './net/nic.js';
export { AddressState, IFA_F_NOPREFIXROUTE, IFA_F_TEMPORARY, NicAddress } from './net/nic-address.js';
export {
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
  type PacketFilter,
} from './net/packet-filter.js';
export { Path } from './net/path.js';
export { Random, type RandomSource, SeededRandom } from './net/random.js';
export {
  type Route,
  type RouteSpec,
  RouteTable,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTPROT_BOOT,
  RTPROT_DHCP,
  RTPROT_KERNEL,
  RTPROT_RA,
  RTPROT_STATIC,
} from './net/route-table.js';
export {
  FR_ACT_BLACKHOLE,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  type RoutingRule,
  RoutingRules,
  RT_TABLE_DEFAULT,
  RT_TABLE_MAIN,
} from './net/routing-rules.js';
export { ANY_SOURCE, NO_SOURCE, SourceFilter } from './net/source-filter.js';
export { StackStats } from './net/stack-stats.js';
export { BPF_MAXINSNS, SOCK_FILTER_BYTES, SocketFilter } from './socket/bpf.js';
export { type DatagramOverrides, DatagramSocket } from './socket/datagram-socket.js';
export { ErrorQueue, type QueuedError } from './socket/error-queue.js';
export { LinkSocketAddress, type PacketSink, PacketSocket } from './socket/packet-socket.js';
export { Memberships } from './socket/memberships.js';
export { PingSocket } from './socket/ping-socket.js';
export { RawSocket } from './socket/raw-socket.js';
export { Socket } from './socket/socket.js';
export { ReceiveInfo, SocketAddress } from './socket/socket-address.js';
export { SocketOptions } from './socket/socket-options.js';
export { Tcp } from './socket/tcp.js';
export { TcpConnection } from './socket/tcp-connection.js';
export { isFastOpenKey } from './socket/fast-open-options.js';
export { TcpSocket } from './socket/tcp-socket.js';
export { UdpSocket } from './socket/udp-socket.js';
export { type NicOptions, Stack, type StackOptions } from './stack.js';
export { TemporaryUse } from './net/temporary-addresses.js';
export { FastOpenUse } from './tcp/fast-open.js';
export { tcpInfo } from './tcp/tcp-info.js';
export { TcpState } from './tcp/tcp-state.js';
export {
  ETH_P_ALL,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  formatLinkAddress,
  type LinkAddress,
  multicastLinkAddress,
  parseLinkAddress,
} from './wire/ethernet.js';
export {
  IPV4_ANY,
  IPV4_BYTES,
  IPV4_LOOPBACK,
  IPV6_ALL_NODES,
  IPV6_ANY,
  IPV6_BYTES,
  IPV6_LOOPBACK,
  IpAddress,
  type IpPrefix,
  parsePrefix,
} from './wire/ip-address.js';
export { Conntrack, type ConntrackListener, CtState, FLOW_COUNT_MAX } from './filter/conntrack.js';
export { Flow, type FlowEnd, FlowState } from './filter/flow.js';
export { Tuple } from './filter/tuple.js';
export { type FlowDecision, type FlowPolicy, type FlowRequest, FlowVerdict } from './filter/flow-policy.js';
export { type LogSink, Netfilter, TableSet } from './filter/netfilter.js';
export {
  AddressTypeMatch,
  CommentMatch,
  ConnectionMarkMatch,
  IcmpMatch,
  LimitMatch,
  MarkMatch,
  MultiportMatch,
  OwnerMatch,
  PortMatch,
  type PortRange,
  StateMatch,
} from './filter/matches.js';
export { type ConntrackCondition, ConntrackMatch, type EndpointCondition } from './filter/conntrack-match.js';
export { type CopyOut, IptablesSockopt } from './filter/iptables/iptables-sockopt.js';
export { type AddressMask, type Match, Rule, type RuleHeader, type Target } from './filter/rule.js';
export { Chain, Table } from './filter/table.js';
export { DnsForwarder, type DnsUpstream } from './policy/dns-forwarder.js';
export { StackUpstream } from './policy/stack-upstream.js';
export type { OriginalDestination, SniffedNames, TakenConnection } from './policy/interceptor.js';
export { sniffHttpHost } from './policy/http-head.js';
export { type Sniffed, sniffServerName } from './policy/client-hello.js';
export { Splice } from './policy/splice.js';
export { type EgressOptions, EgressPolicy, type FlowHook } from './policy/egress-policy.js';
export { DhcpClient, DhcpState } from './dhcp/dhcp-client.js';
export * from './wire/protocol.js';
export { ICMP_ECHO, ICMP_ECHOREPLY } from './wire/icmpv4.js';
export { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from './wire/icmpv6.js';
export type { DhcpReply } from './dhcp/dhcp-message.js';
