import { CAP_NET_ADMIN, EINVAL, EPERM, type Errno } from '@tsv/abi';
import type { Stack, TemporaryUse } from '@tsv/netstack';
import type { Caller } from '@tsv/vfs';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { Task } from '../../task/task.js';
import { GeneratedFile, SettableFile, parseSetting } from '../generated-file.js';
import type { ProcFileSystem } from '../proc-file-system.js';
import { fastOpenKeyFile } from './fast-open-key.js';

/** A number of a namespace or its stack, with the range that Linux lets it have. */
interface NetSetting {
  readonly min: number;
  readonly max: number;
  get(stack: Stack, net: NetNamespace): number;
  set(value: number, stack: Stack, net: NetNamespace): void;
}

type TcpSettings = Stack['tcp']['context']['settings'];
/** The fields of the TCP settings that are of type `T`. */
type FieldOf<T> = { [K in keyof TcpSettings]: T extends TcpSettings[K] ? K : never }[keyof TcpSettings];

const PORT_MAX = 65535;
const SECONDS_MAX = 0x7fffffff / 1000;

/** Settings beneath /proc/sys/net that the stack of the caller's network namespace follows, ip-sysctl. */
const SETTINGS: Readonly<Record<string, NetSetting>> = {
  'ipv4/ip_forward': forwarding('forwardsIpv4'),
  'ipv4/conf/all/forwarding': forwarding('forwardsIpv4'),
  'ipv6/conf/all/forwarding': forwarding('forwardsIpv6'),
  'ipv4/ip_unprivileged_port_start': {
    min: 0,
    max: PORT_MAX,
    get: (_stack, net) => net.unprivilegedPortStart,
    set: (value, _stack, net) => {
      net.unprivilegedPortStart = value;
    },
  },
  'ipv4/conf/all/accept_redirects': redirecting('acceptsIpv4'),
  'ipv4/conf/all/secure_redirects': redirecting('isSecure'),
  'ipv4/conf/all/shared_media': redirecting('hasSharedMedia'),
  'ipv4/conf/all/send_redirects': redirecting('sendsIpv4'),
  'ipv6/conf/all/accept_redirects': redirecting('acceptsIpv6'),
  'ipv6/conf/all/use_tempaddr': temporaryUse(),
  'ipv6/conf/default/use_tempaddr': temporaryUse(),
  'ipv4/tcp_sack': switched('isSackOn'),
  'ipv4/tcp_timestamps': switched('isTimestampsOn'),
  'ipv4/tcp_window_scaling': switched('isWindowScalingOn'),
  'ipv4/tcp_frto': switched('isFrtoOn'),
  'ipv4/tcp_fastopen': counted('fastOpen', 0, 0x7fffffff),
  'ipv4/tcp_syn_retries': counted('synRetries', 1, 127),
  'ipv4/tcp_synack_retries': counted('synAckRetries', 0, 255),
  'ipv4/tcp_retries2': counted('retries', 0, 255),
  'ipv4/tcp_orphan_retries': counted('orphanRetries', 0, 255),
  'ipv4/tcp_keepalive_probes': counted('keepCount', 1, 127),
  'ipv4/tcp_fin_timeout': timed('finTimeoutMs'),
  'ipv4/tcp_keepalive_time': timed('keepIdleMs'),
  'ipv4/tcp_keepalive_intvl': timed('keepIntervalMs'),
};

/** What is told of a stack and cannot be changed. */
const FACTS: Readonly<Record<string, (stack: Stack) => string | number>> = {
  'ipv4/ip_default_ttl': (stack) => stack.hopLimit,
  'ipv4/tcp_congestion_control': (stack) => stack.tcp.context.settings.congestionControl,
  'ipv4/tcp_ecn': (stack) => stack.tcp.context.settings.ecn,
  'ipv4/tcp_syncookies': (stack) => stack.tcp.context.settings.synCookies,
  'ipv4/tcp_mtu_probing': (stack) => stack.tcp.context.settings.mtuProbing,
  'ipv6/conf/all/disable_ipv6': () => 0,
  'ipv6/conf/default/disable_ipv6': () => 0,
};

/** The files of /proc/sys/net by their path beneath it. */
export function netSysctls(fs: ProcFileSystem): [path: string, file: GeneratedFile][] {
  const settable = Object.entries(SETTINGS).map(([path, setting]): [string, GeneratedFile] => [
    path,
    new SettableFile(
      fs,
      (caller) => `${setting.get(stackOf(fs, caller), netOf(fs, caller))}\n`,
      (text, caller) => change(fs, setting, text, caller),
    ),
  ]);
  const fixed = Object.entries(FACTS).map(([path, fact]): [string, GeneratedFile] => [
    path,
    new GeneratedFile(fs, (caller) => `${fact(stackOf(fs, caller))}\n`),
  ]);
  return [
    ...settable,
    ...fixed,
    ['ipv4/tcp_fastopen_key', fastOpenKeyFile(fs, (caller) => stackOf(fs, caller))],
    ['ipv4/ping_group_range', pingGroupRange(fs)],
  ];
}

/** Groups whose members may make sockets for echo requests, icmp(7). Kept and shown; the socket family has the say. */
function pingGroupRange(fs: ProcFileSystem): SettableFile {
  return new SettableFile(
    fs,
    (caller) => `${netOf(fs, caller).pingGroupRange.join('\t')}\n`,
    (text, caller) => {
      if (!caller.creds.hasCap(CAP_NET_ADMIN)) return -EPERM;
      const words = text.trim().split(/\s+/);
      const [low, high] = words.map((word) => parseSetting(word, 0, GID_MAX));
      if (words.length !== 2 || low === undefined || high === undefined || low < 0 || high < 0) return -EINVAL;
      netOf(fs, caller).pingGroupRange = [low, high];
      return 0;
    },
  );
}

const GID_MAX = 2 ** 31 - 1;

function change(fs: ProcFileSystem, setting: NetSetting, text: string, caller: Caller): 0 | Errno {
  if (!caller.creds.hasCap(CAP_NET_ADMIN)) return -EPERM;
  const value = parseSetting(text, setting.min, setting.max);
  if (value < 0) return -EINVAL;
  setting.set(value, stackOf(fs, caller), netOf(fs, caller));
  return 0;
}

function netOf(fs: ProcFileSystem, caller: Caller): NetNamespace {
  return caller instanceof Task ? caller.ns.net : fs.kernel.ns.net;
}

function stackOf(fs: ProcFileSystem, caller: Caller): Stack {
  return fs.kernel.netStacks.of(netOf(fs, caller));
}

function forwarding(field: 'forwardsIpv4' | 'forwardsIpv6'): NetSetting {
  return {
    min: 0,
    max: 1,
    get: (stack) => Number(stack[field]),
    set: (value, stack) => {
      stack[field] = value !== 0;
    },
  };
}

type RedirectSetting = 'acceptsIpv4' | 'acceptsIpv6' | 'isSecure' | 'hasSharedMedia' | 'sendsIpv4';

function redirecting(field: RedirectSetting): NetSetting {
  return {
    min: 0,
    max: 1,
    get: ({ redirects }) => Number(redirects[field]),
    set: (value, { redirects }) => {
      redirects[field] = value !== 0;
    },
  };
}

/** For all interfaces alike. */
function temporaryUse(): NetSetting {
  return {
    min: 0,
    max: 2,
    get: (stack) => stack.ndp.temporary.use,
    set: (value, stack) => {
      stack.ndp.temporary.use = value as TemporaryUse;
    },
  };
}

function switched(field: FieldOf<boolean>): NetSetting {
  return {
    min: 0,
    max: 1,
    get: (stack) => Number(stack.tcp.context.settings[field]),
    set: (value, stack) => {
      stack.tcp.context.settings[field] = value !== 0;
    },
  };
}

function counted(field: FieldOf<number>, min: number, max: number): NetSetting {
  return {
    min,
    max,
    get: (stack) => stack.tcp.context.settings[field],
    set: (value, stack) => {
      stack.tcp.context.settings[field] = value;
    },
  };
}

/** A time that is told in seconds. */
function timed(field: FieldOf<number>): NetSetting {
  return {
    min: 1,
    max: SECONDS_MAX,
    get: (stack) => Math.floor(stack.tcp.context.settings[field] / 1000),
    set: (value, stack) => {
      stack.tcp.context.settings[field] = value * 1000;
    },
  };
}
