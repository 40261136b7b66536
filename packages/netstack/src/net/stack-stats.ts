/** Counters of a stack, named as in /proc/net/snmp, /proc/net/snmp6 (RFC 4293, RFC 4113). */
export class StackStats {
  ipInReceives = 0;
  ipInHdrErrors = 0;
  ipInAddrErrors = 0;
  ipForwDatagrams = 0;
  ipInUnknownProtos = 0;
  ipInDelivers = 0;
  ipOutRequests = 0;
  ipOutNoRoutes = 0;
  ipReasmReqds = 0;
  ipReasmOks = 0;
  ipFragCreates = 0;
  ipFragFails = 0;

  ip6InReceives = 0;
  ip6InHdrErrors = 0;
  ip6InTooBigErrors = 0;
  ip6InAddrErrors = 0;
  ip6InUnknownProtos = 0;
  ip6InDelivers = 0;
  ip6OutRequests = 0;
  ip6OutNoRoutes = 0;
  ip6ForwDatagrams = 0;
  ip6ReasmReqds = 0;
  ip6ReasmOks = 0;
  ip6FragCreates = 0;

  icmpInMsgs = 0;
  icmpInErrors = 0;
  icmpOutMsgs = 0;
  icmp6InMsgs = 0;
  icmp6InErrors = 0;
  icmp6OutMsgs = 0;

  udpInDatagrams = 0;
  udpNoPorts = 0;
  udpInErrors = 0;
  udpOutDatagrams = 0;

  tcpActiveOpens = 0;
  tcpPassiveOpens = 0;
  tcpInSegs = 0;
  tcpOutSegs = 0;
  tcpInErrs = 0;
  tcpOutRsts = 0;

  /** Packets dropped because the stack's backlog was full. */
  backlogDropped = 0;
}
