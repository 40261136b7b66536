import {
  TCPI_OPT_ECN,
  TCPI_OPT_SACK,
  TCPI_OPT_SYN_DATA,
  TCPI_OPT_TIMESTAMPS,
  TCPI_OPT_WSCALE,
  type TcpInfo,
} from '@tsv/abi';
import type { Connection } from './connection.js';
import { SendTimer } from './sender.js';
import { seqDiff } from './sequence.js';
import type { TcpListener } from './tcp-listener.js';
import { TcpState } from './tcp-state.js';

/** "No threshold yet", as Linux tells it. */
const SSTHRESH_INFINITE = 0x7fffffff;
const ATO_MS = 40;

/** What TCP_INFO tells of `connection`: tcp(7). Times are microseconds where Linux has them so. */
export function tcpInfo(connection: Connection, nowMs: number): TcpInfo {
  const { sender, receiver } = connection;
  const { queue, rtt, cc, recovery } = sender;
  const maxPacing = connection.options.maxPacingBytesPerMs;
  const segments = (bytes: number): number => Math.ceil(bytes / sender.mssBytes);
  const times = connection.sendTimes;
  const busyMs = times?.busyMs(nowMs) ?? 0;
  const isProbing = sender.timer === SendTimer.PERSIST;
  return {
    tcpi_state: connection.state,
    tcpi_ca_state: recovery.state,
    tcpi_retransmits: isProbing ? 0 : sender.retryCount,
    tcpi_probes: isProbing ? sender.retryCount : 0,
    tcpi_backoff: rtt.backoff,
    tcpi_options: optionBits(connection),
    tcpi_snd_wscale: sender.windowShift,
    tcpi_rcv_wscale: receiver.windowShift,
    tcpi_delivery_rate_app_limited: Number(sender.isDeliveryAppLimited),
    tcpi_fastopen_client_fail: connection.fastOpen?.failure ?? 0,
    tcpi_rto: micros(rtt.rtoMs),
    tcpi_ato: micros(ATO_MS),
    tcpi_snd_mss: sender.mssBytes,
    tcpi_rcv_mss: receiver.peerMssBytes,
    tcpi_unacked: segments(queue.outBytes),
    tcpi_sacked: segments(queue.sackedBytes + queue.renoSackedBytes),
    tcpi_lost: segments(queue.lostBytes),
    tcpi_retrans: segments(queue.retransBytes),
    tcpi_fackets: 0,
    tcpi_last_data_sent: sinceMs(sender.lastSentMs, nowMs),
    tcpi_last_ack_sent: 0,
    tcpi_last_data_recv: sinceMs(receiver.lastTextMs, nowMs),
    tcpi_last_ack_recv: sinceMs(connection.lastHeardMs, nowMs),
    tcpi_pmtu: connection.pathMss + 40,
    tcpi_rcv_ssthresh: receiver.freeBytes,
    tcpi_rtt: micros(rtt.srttMs),
    tcpi_rttvar: micros(rtt.rttvarMs),
    tcpi_snd_ssthresh: cc.ssthreshBytes === Infinity ? SSTHRESH_INFINITE : segments(cc.ssthreshBytes),
    tcpi_snd_cwnd: Math.max(1, Math.floor(cc.cwndBytes / sender.mssBytes)),
    tcpi_advmss: connection.pathMss,
    tcpi_reordering: 3,
    tcpi_rcv_rtt: micros(connection.tuner.rttMs),
    tcpi_rcv_space: receiver.bufferBytesMax,
    tcpi_total_retrans: sender.retransmitCount,
    tcpi_pacing_rate: cc.pacingBytesPerMs === 0 ? Infinity : Math.floor(cc.pacingBytesPerMs * 1000),
    tcpi_max_pacing_rate: maxPacing === 0 ? Infinity : maxPacing * 1000,
    tcpi_bytes_acked: sender.ackedBytes,
    tcpi_bytes_received: receiver.receivedBytes,
    tcpi_segs_out: connection.segmentOutCount,
    tcpi_segs_in: connection.segmentInCount,
    tcpi_notsent_bytes: sender.unsentBytes,
    tcpi_min_rtt: rtt.minRttMs === Infinity ? 0xffffffff : micros(rtt.minRttMs),
    tcpi_data_segs_in: connection.textInCount,
    tcpi_data_segs_out: connection.textOutCount,
    tcpi_delivery_rate: Math.floor(sender.deliveryBytesPerMs * 1000),
    tcpi_busy_time: micros(busyMs),
    tcpi_rwnd_limited: micros(times?.windowLimitedMs ?? 0),
    tcpi_sndbuf_limited: micros(times?.bufferLimitedMs ?? 0),
    tcpi_delivered: segments(sender.deliveredBytes),
    tcpi_delivered_ce: segments(sender.deliveredCeBytes),
    tcpi_bytes_sent: sender.sentBytes,
    tcpi_bytes_retrans: sender.retransmittedBytes,
    tcpi_dsack_dups: recovery.dsackCount,
    tcpi_reord_seen: Number(sender.rack.hasReordering),
    tcpi_rcv_ooopack: receiver.outOfOrderCount,
    tcpi_snd_wnd: Math.max(0, seqDiff((sender.sndUna + sender.sndWnd) | 0, sender.sndUna)),
  };
}

/** What TCP_INFO tells of a listening socket: connections that wait to be accepted, and how many may. */
export function listenerInfo(listener: TcpListener): Pick<TcpInfo, 'tcpi_state' | 'tcpi_unacked' | 'tcpi_sacked'> {
  return { tcpi_state: TcpState.LISTEN, tcpi_unacked: listener.acceptCount, tcpi_sacked: listener.backlog };
}

function optionBits(connection: Connection): number {
  const { sender, receiver } = connection;
  return (
    (connection.hasTimestamps ? TCPI_OPT_TIMESTAMPS : 0) |
    (receiver.isSackUsed ? TCPI_OPT_SACK : 0) |
    (sender.windowShift + receiver.windowShift > 0 ? TCPI_OPT_WSCALE : 0) |
    (sender.isEcnUsed ? TCPI_OPT_ECN : 0) |
    (connection.fastOpen?.isTextTaken === true ? TCPI_OPT_SYN_DATA : 0)
  );
}

function micros(ms: number): number {
  return Math.round(ms * 1000);
}

function sinceMs(thenMs: number, nowMs: number): number {
  return Math.max(0, Math.floor(nowMs - Math.max(thenMs, 0)));
}
