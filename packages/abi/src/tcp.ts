/** Options of TCP sockets, linux/tcp.h. */

export const TCP_NODELAY = 1;
export const TCP_MAXSEG = 2;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_SYNCNT = 7;
export const TCP_LINGER2 = 8;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_WINDOW_CLAMP = 10;
export const TCP_INFO = 11;
export const TCP_QUICKACK = 12;
export const TCP_CONGESTION = 13;
export const TCP_USER_TIMEOUT = 18;
export const TCP_FASTOPEN = 23;
export const TCP_NOTSENT_LOWAT = 25;
export const TCP_MD5SIG = 14;
export const TCP_TIMESTAMP = 24;
export const TCP_CC_INFO = 26;
export const TCP_SAVE_SYN = 27;
export const TCP_SAVED_SYN = 28;
export const TCP_REPAIR = 19;
export const TCP_REPAIR_QUEUE = 20;
export const TCP_QUEUE_SEQ = 21;
export const TCP_REPAIR_OPTIONS = 22;
export const TCP_REPAIR_WINDOW = 29;
export const TCP_FASTOPEN_CONNECT = 30;
export const TCP_ULP = 31;
export const TCP_FASTOPEN_KEY = 33;
export const TCP_FASTOPEN_NO_COOKIE = 34;
export const TCP_INQ = 36;
/** Longest name of a congestion control algorithm, with its NUL. */
export const TCP_CA_NAME_MAX = 16;

/** `struct tcp_info`, what TCP_INFO tells of a connection: linux/tcp.h. Bit fields are fields of their own here. */
export interface TcpInfo {
  tcpi_state: number;
  tcpi_ca_state: number;
  tcpi_retransmits: number;
  tcpi_probes: number;
  tcpi_backoff: number;
  tcpi_options: number;
  tcpi_snd_wscale: number;
  tcpi_rcv_wscale: number;
  tcpi_delivery_rate_app_limited: number;
  tcpi_fastopen_client_fail: number;
  tcpi_rto: number;
  tcpi_ato: number;
  tcpi_snd_mss: number;
  tcpi_rcv_mss: number;
  tcpi_unacked: number;
  tcpi_sacked: number;
  tcpi_lost: number;
  tcpi_retrans: number;
  tcpi_fackets: number;
  tcpi_last_data_sent: number;
  tcpi_last_ack_sent: number;
  tcpi_last_data_recv: number;
  tcpi_last_ack_recv: number;
  tcpi_pmtu: number;
  tcpi_rcv_ssthresh: number;
  tcpi_rtt: number;
  tcpi_rttvar: number;
  tcpi_snd_ssthresh: number;
  tcpi_snd_cwnd: number;
  tcpi_advmss: number;
  tcpi_reordering: number;
  tcpi_rcv_rtt: number;
  tcpi_rcv_space: number;
  tcpi_total_retrans: number;
  tcpi_pacing_rate: number;
  tcpi_max_pacing_rate: number;
  tcpi_bytes_acked: number;
  tcpi_bytes_received: number;
  tcpi_segs_out: number;
  tcpi_segs_in: number;
  tcpi_notsent_bytes: number;
  tcpi_min_rtt: number;
  tcpi_data_segs_in: number;
  tcpi_data_segs_out: number;
  tcpi_delivery_rate: number;
  tcpi_busy_time: number;
  tcpi_rwnd_limited: number;
  tcpi_sndbuf_limited: number;
  tcpi_delivered: number;
  tcpi_delivered_ce: number;
  tcpi_bytes_sent: number;
  tcpi_bytes_retrans: number;
  tcpi_dsack_dups: number;
  tcpi_reord_seen: number;
  tcpi_rcv_ooopack: number;
  tcpi_snd_wnd: number;
}

export const SIZEOF_TCP_INFO = 232;

/** `struct tcp_bbr_info` of linux/inet_diag.h: bandwidth in bytes a second, round trip in microseconds, gains times 256. */
export const SIZEOF_TCP_BBR_INFO = 20;
const BBR_BW_LO = 0;
const BBR_BW_HI = 4;
const BBR_MIN_RTT = 8;
const BBR_PACING_GAIN = 12;
const BBR_CWND_GAIN = 16;

/** A model of a path, as TCP_CC_INFO tells it of BBR. */
export interface TcpPathModel {
  bandwidthBytesPerMs: number;
  /** Infinity before it was measured. */
  minRttMs: number;
  pacingGain: number;
  cwndGain: number;
}

export function storeTcpBbrInfo(mem: DataView, at: number, model: Readonly<TcpPathModel>): void {
  const bandwidth = Math.floor(model.bandwidthBytesPerMs * 1000);
  mem.setUint32(at + BBR_BW_LO, bandwidth % 0x1_0000_0000, true);
  mem.setUint32(at + BBR_BW_HI, Math.floor(bandwidth / 0x1_0000_0000), true);
  mem.setUint32(at + BBR_MIN_RTT, Math.min(Math.round(model.minRttMs * 1000), 0xffffffff), true);
  mem.setUint32(at + BBR_PACING_GAIN, Math.floor(model.pacingGain * 256), true);
  mem.setUint32(at + BBR_CWND_GAIN, Math.floor(model.cwndGain * 256), true);
}

/** Bits of tcpi_options. */
export const TCPI_OPT_TIMESTAMPS = 1;
export const TCPI_OPT_SACK = 2;
export const TCPI_OPT_WSCALE = 4;
export const TCPI_OPT_ECN = 8;
export const TCPI_OPT_ECN_SEEN = 16;
export const TCPI_OPT_SYN_DATA = 32;

const U32_FIELDS: readonly (readonly [keyof TcpInfo, number])[] = [
  ['tcpi_rto', 8],
  ['tcpi_ato', 12],
  ['tcpi_snd_mss', 16],
  ['tcpi_rcv_mss', 20],
  ['tcpi_unacked', 24],
  ['tcpi_sacked', 28],
  ['tcpi_lost', 32],
  ['tcpi_retrans', 36],
  ['tcpi_fackets', 40],
  ['tcpi_last_data_sent', 44],
  ['tcpi_last_ack_sent', 48],
  ['tcpi_last_data_recv', 52],
  ['tcpi_last_ack_recv', 56],
  ['tcpi_pmtu', 60],
  ['tcpi_rcv_ssthresh', 64],
  ['tcpi_rtt', 68],
  ['tcpi_rttvar', 72],
  ['tcpi_snd_ssthresh', 76],
  ['tcpi_snd_cwnd', 80],
  ['tcpi_advmss', 84],
  ['tcpi_reordering', 88],
  ['tcpi_rcv_rtt', 92],
  ['tcpi_rcv_space', 96],
  ['tcpi_total_retrans', 100],
  ['tcpi_segs_out', 136],
  ['tcpi_segs_in', 140],
  ['tcpi_notsent_bytes', 144],
  ['tcpi_min_rtt', 148],
  ['tcpi_data_segs_in', 152],
  ['tcpi_data_segs_out', 156],
  ['tcpi_delivered', 192],
  ['tcpi_delivered_ce', 196],
  ['tcpi_dsack_dups', 216],
  ['tcpi_reord_seen', 220],
  ['tcpi_rcv_ooopack', 224],
  ['tcpi_snd_wnd', 228],
];
const U64_FIELDS: readonly (readonly [keyof TcpInfo, number])[] = [
  ['tcpi_pacing_rate', 104],
  ['tcpi_max_pacing_rate', 112],
  ['tcpi_bytes_acked', 120],
  ['tcpi_bytes_received', 128],
  ['tcpi_delivery_rate', 160],
  ['tcpi_busy_time', 168],
  ['tcpi_rwnd_limited', 176],
  ['tcpi_sndbuf_limited', 184],
  ['tcpi_bytes_sent', 200],
  ['tcpi_bytes_retrans', 208],
];

/** Writes the structure, with 0 for what is not given. Values beyond their field are cut to its largest. */
export function storeTcpInfo(mem: DataView, at: number, info: Readonly<Partial<TcpInfo>>): void {
  const valueOf = (field: keyof TcpInfo): number => info[field] ?? 0;
  mem.setUint8(at, valueOf('tcpi_state'));
  mem.setUint8(at + 1, valueOf('tcpi_ca_state'));
  mem.setUint8(at + 2, Math.min(valueOf('tcpi_retransmits'), 255));
  mem.setUint8(at + 3, Math.min(valueOf('tcpi_probes'), 255));
  mem.setUint8(at + 4, Math.min(valueOf('tcpi_backoff'), 255));
  mem.setUint8(at + 5, valueOf('tcpi_options'));
  mem.setUint8(at + 6, (valueOf('tcpi_snd_wscale') & 0xf) | (valueOf('tcpi_rcv_wscale') << 4));
  const isAppLimited = valueOf('tcpi_delivery_rate_app_limited') & 1;
  mem.setUint8(at + 7, isAppLimited | ((valueOf('tcpi_fastopen_client_fail') & 3) << 1));
  for (const [field, offset] of U32_FIELDS) mem.setUint32(at + offset, Math.min(valueOf(field), 0xffffffff), true);
  for (const [field, offset] of U64_FIELDS) {
    // ~0 stands for "no limit", as in a max_pacing_rate that was never set.
    const value = valueOf(field);
    const isMax = value === Infinity;
    mem.setUint32(at + offset, isMax ? 0xffffffff : value % 0x1_0000_0000, true);
    mem.setUint32(at + offset + 4, isMax ? 0xffffffff : Math.floor(value / 0x1_0000_0000), true);
  }
}
