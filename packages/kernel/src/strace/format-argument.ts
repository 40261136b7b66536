import { loadI64 } from '@tsv/abi';
import type { Task } from '../task/task.js';
import * as names from './flag-names.js';

/** The raw arguments of a call, kept from its entry. */
export interface RawArguments {
  /** Unsigned 64-bit values, exact below 2^53. */
  readonly values: readonly number[];
  /** The low halves as `int`. */
  readonly ints: readonly number[];
}

type Printer = (t: Task, raw: RawArguments, index: number, len: number, limit: number) => string;

const buffer = new Uint8Array(4096);
const view = new DataView(buffer.buffer);

const int = (raw: RawArguments, index: number): number => raw.ints[index]!;
const addr = (raw: RawArguments, index: number): number => raw.values[index]!;
const hex = (value: number): string => (value === 0 ? 'NULL' : `0x${value.toString(16)}`);
const flags =
  (table: readonly (readonly [number, string])[], zero = '0'): Printer =>
  (_t, raw, index) =>
    names.showBits(int(raw, index), table, zero);
const name =
  (table: readonly (readonly [number, string])[]): Printer =>
  (_t, raw, index) =>
    names.showName(int(raw, index), table);

/** Reads `len` bytes of guest memory into `buffer`; false if they cannot be read. */
function load(t: Task, at: number, len: number): boolean {
  return at !== 0 && t.mm.copyIn(buffer, 0, at, len) === 0;
}

/** A struct argument: its address when null or not readable, else what `show` makes of the bytes in `view`. */
const struct =
  (bytes: number, show: () => string): Printer =>
  (t, raw, index) =>
    load(t, addr(raw, index), bytes) ? show() : hex(addr(raw, index));

/** Quotes a byte string as C does. */
export function quote(text: string, isCut = false): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const escape = ESCAPES[code];
    if (escape !== undefined) out += escape;
    else if (code >= 32 && code < 127) out += text[i]!;
    else out += `\\x${code.toString(16).padStart(2, '0')}`;
  }
  return `${out}"${isCut ? '...' : ''}`;
}
const ESCAPES: Record<number, string> = { 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\', 0: '\\0' };

function showData(t: Task, at: number, len: number, limit: number): string {
  const shown = Math.min(len, limit, buffer.length);
  if (shown > 0 && !load(t, at, shown)) return hex(at);
  let text = '';
  for (let i = 0; i < shown; i++) text += String.fromCharCode(buffer[i]!);
  return quote(text, shown < len);
}

function showString(t: Task, at: number): string {
  const text = at === 0 ? -1 : t.mm.copyInString(at, 4096);
  return typeof text === 'number' ? hex(at) : quote(text);
}

function showStrings(t: Task, at: number): string {
  const list = at === 0 ? -1 : t.mm.copyInStringArray(at, 1 << 20);
  return typeof list === 'number' ? hex(at) : `[${list.map((text) => quote(text)).join(', ')}]`;
}

function showSet(): string {
  const members: string[] = [];
  for (let signo = 1; signo <= 64; signo++) {
    const word = view.getUint32(signo <= 32 ? 0 : 4, true);
    if ((word & (1 << ((signo - 1) & 31))) !== 0) members.push(names.showSignal(signo).replace('SIG', ''));
  }
  return `[${members.join(' ')}]`;
}

const MODE_TYPES: Record<number, string> = {
  0o140000: 'S_IFSOCK',
  0o120000: 'S_IFLNK',
  0o100000: 'S_IFREG',
  0o060000: 'S_IFBLK',
  0o040000: 'S_IFDIR',
  0o020000: 'S_IFCHR',
  0o010000: 'S_IFIFO',
};

function showSockaddr(t: Task, at: number, len: number): string {
  if (!(len >= 2) || len > 128 || !load(t, at, len)) return hex(at);
  const family = view.getUint16(0, true);
  if (family === 1) {
    let path = '';
    for (let i = 2; i < len && (i === 2 || buffer[i] !== 0); i++) path += String.fromCharCode(buffer[i]!);
    return `{sa_family=AF_UNIX, sun_path=${quote(path)}}`;
  }
  if (family === 2 && len >= 8) {
    const ip = `${buffer[4]!}.${buffer[5]!}.${buffer[6]!}.${buffer[7]!}`;
    return `{sa_family=AF_INET, sin_port=htons(${view.getUint16(2)}), sin_addr=inet_addr("${ip}")}`;
  }
  return `{sa_family=${names.showName(family, names.FAMILIES)}}`;
}

/** Printers by the word that a signature uses. `len` is the length that the signature names, or the result. */
export const PRINTERS: Readonly<Record<string, Printer>> = {
  int: (_t, raw, index) => String(int(raw, index)),
  hex: (_t, raw, index) => `0x${addr(raw, index).toString(16)}`,
  size: (_t, raw, index) => String(addr(raw, index)),
  off: (_t, raw, index) => String(addr(raw, index) >= 2 ** 63 ? addr(raw, index) - 2 ** 64 : addr(raw, index)),
  ptr: (_t, raw, index) => hex(addr(raw, index)),
  fd: (_t, raw, index) => String(int(raw, index)),
  dirfd: (_t, raw, index) => (int(raw, index) === -100 ? 'AT_FDCWD' : String(int(raw, index))),
  path: (t, raw, index) => showString(t, addr(raw, index)),
  string: (t, raw, index, len, limit) =>
    len > 0 ? showData(t, addr(raw, index), len, limit) : showString(t, addr(raw, index)),
  data: (t, raw, index, len, limit) => showData(t, addr(raw, index), Math.max(0, len), limit),
  strings: (t, raw, index) => showStrings(t, addr(raw, index)),
  envs: (t, raw, index) => {
    const list = t.mm.copyInStringArray(addr(raw, index), 1 << 20);
    return typeof list === 'number' ? hex(addr(raw, index)) : `${hex(addr(raw, index))} /* ${list.length} vars */`;
  },
  mode: (_t, raw, index) => `0${(int(raw, index) & 0xffff).toString(8)}`,
  openflags: (_t, raw, index) =>
    (int(raw, index) & 3) === 0
      ? names.showBits(int(raw, index), names.OPEN_FLAGS, 'O_RDONLY').replace(/^(?!O_RDONLY)/, 'O_RDONLY|')
      : names.showBits(int(raw, index), names.OPEN_FLAGS),
  prot: flags(names.PROT, 'PROT_NONE'),
  mapflags: flags(names.MAP_FLAGS),
  mremapflags: flags(names.MREMAP_FLAGS),
  cloneflags: (_t, raw, index) => {
    const signo = int(raw, index) & 0xff;
    const bits = names.showBits(int(raw, index) & ~0xff, names.CLONE_FLAGS, '');
    return [bits, signo === 0 ? '' : names.showSignal(signo)].filter((part) => part !== '').join('|') || '0';
  },
  atflags: flags(names.AT_FLAGS),
  waitflags: flags(names.WAIT_FLAGS),
  msgflags: flags(names.MSG_FLAGS),
  accmode: flags(names.ACCESS_MODE, 'F_OK'),
  family: name(names.FAMILIES),
  socktype: (_t, raw, index) => {
    const value = int(raw, index);
    const extra = names.showBits(value & ~0xf, names.OPEN_FLAGS, '').replaceAll('O_', 'SOCK_');
    return names.showName(value & 0xf, names.SOCKET_TYPES) + (extra === '' ? '' : `|${extra}`);
  },
  whence: name(names.WHENCE),
  clock: name(names.CLOCKS),
  fcntl: name(names.FCNTL),
  ioctl: (_t, raw, index) => {
    const shown = names.showName(int(raw, index), names.IOCTLS);
    return /^\d|^-/.test(shown) ? `0x${(int(raw, index) >>> 0).toString(16)}` : shown;
  },
  sighow: name(names.SIG_HOW),
  epollop: name(names.EPOLL_OPS),
  futexop: (_t, raw, index) => {
    const op = int(raw, index);
    const name = names.showName(op & 0x7f, names.FUTEX_OPS);
    const parts = [(op & 128) === 0 ? name : `${name}_PRIVATE`];
    if ((op & 256) !== 0) parts.push('FUTEX_CLOCK_REALTIME');
    return parts.join('|');
  },
  advice: name(names.ADVICE),
  rlimit: name(names.RLIMITS),
  archprctl: name(names.ARCH_PRCTL),
  prctl: name(names.PRCTL),
  sig: (_t, raw, index) => names.showSignal(int(raw, index)),
  sigset: struct(8, showSet),
  sigaction: struct(32, () => {
    const handler = loadI64(view, 0);
    const shown = handler === 0 ? 'SIG_DFL' : handler === 1 ? 'SIG_IGN' : hex(handler);
    return `{sa_handler=${shown}, sa_flags=0x${view.getUint32(8, true).toString(16)}}`;
  }),
  fds: struct(8, () => `[${view.getInt32(0, true)}, ${view.getInt32(4, true)}]`),
  int32: struct(4, () => `[${view.getInt32(0, true)}]`),
  timespec: struct(16, () => `{tv_sec=${loadI64(view, 0)}, tv_nsec=${loadI64(view, 8)}}`),
  timeval: struct(16, () => `{tv_sec=${loadI64(view, 0)}, tv_usec=${loadI64(view, 8)}}`),
  rlim: struct(16, () => {
    const show = (at: number): string =>
      view.getInt32(at + 4, true) === -1 ? 'RLIM64_INFINITY' : String(loadI64(view, at));
    return `{rlim_cur=${show(0)}, rlim_max=${show(8)}}`;
  }),
  stat: struct(144, () => {
    const mode = view.getUint32(24, true);
    const type = MODE_TYPES[mode & 0o170000] ?? `0${(mode & 0o170000).toString(8)}`;
    return `{st_mode=${type}|0${(mode & 0o7777).toString(8)}, st_size=${loadI64(view, 48)}, ...}`;
  }),
  utsname: struct(65 * 6, () => `{sysname=${quote(cString(0))}, nodename=${quote(cString(65))}, ...}`),
  epollevent: struct(12, () => `{events=0x${view.getUint32(0, true).toString(16)}, data=${hex(loadI64(view, 4))}}`),
  pollfds: (t, raw, index, count) => {
    const shown = Math.min(count, 16);
    if (shown <= 0 || !load(t, addr(raw, index), shown * 8)) return hex(addr(raw, index));
    const rows = Array.from({ length: shown }, (_, i) => {
      const [events, revents] = [view.getUint16(i * 8 + 4, true), view.getUint16(i * 8 + 6, true)];
      return `{fd=${view.getInt32(i * 8, true)}, events=0x${events.toString(16)}, revents=0x${revents.toString(16)}}`;
    });
    return `[${rows.join(', ')}${shown < count ? ', ...' : ''}]`;
  },
  iovec: (t, raw, index, count, limit) => {
    const shown = Math.min(count, 8);
    if (shown <= 0 || !load(t, addr(raw, index), shown * 16)) return hex(addr(raw, index));
    const pieces = Array.from({ length: shown }, (_, i) => [loadI64(view, i * 16), loadI64(view, i * 16 + 8)] as const);
    const rows = pieces.map(([base, len]) => `{iov_base=${showData(t, base, len, limit)}, iov_len=${len}}`);
    return `[${rows.join(', ')}${shown < count ? ', ...' : ''}]`;
  },
  msghdr: (t, raw, index) => {
    if (!load(t, addr(raw, index), 56)) return hex(addr(raw, index));
    return `{msg_iovlen=${loadI64(view, 24)}, msg_controllen=${loadI64(view, 40)}}`;
  },
  sockaddr: (t, raw, index, len) => showSockaddr(t, addr(raw, index), len),
  fdset: (_t, raw, index) => hex(addr(raw, index)),
};

function cString(at: number): string {
  let text = '';
  for (let i = at; i < at + 65 && buffer[i] !== 0; i++) text += String.fromCharCode(buffer[i]!);
  return text;
}
