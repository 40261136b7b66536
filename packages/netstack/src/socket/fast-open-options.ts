import { EINVAL, ENOPROTOOPT, EOPNOTSUPP, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE } from '@tsv/abi';
import { FAST_OPEN_KEY_BYTES } from '../tcp/fast-open.js';
import type { TcpOptions } from '../tcp/tcp-options.js';
import { TcpState } from '../tcp/tcp-state.js';
import { BACKLOG_MAX } from '../tcp/tcp-listener.js';

/** Sets one of the options of fast open. `isOn`: clients may use it. Errors: EINVAL, ENOPROTOOPT, EOPNOTSUPP. */
export function setFastOpenOption(
  options: TcpOptions,
  state: TcpState,
  isOn: boolean,
  name: number,
  value: number,
): number {
  const isUnused = state === TcpState.CLOSE || state === TcpState.LISTEN;
  switch (name) {
    case TCP_FASTOPEN:
      if (value < 0 || !isUnused) return -EINVAL;
      options.fastOpenMax = Math.min(value, BACKLOG_MAX);
      return 0;
    case TCP_FASTOPEN_CONNECT:
      if (value < 0 || value > 1) return -EINVAL;
      if (!isOn) return -EOPNOTSUPP;
      if (state !== TcpState.CLOSE) return -EINVAL;
      options.connectsFast = value === 1;
      return 0;
    case TCP_FASTOPEN_NO_COOKIE:
      if (value < 0 || value > 1 || !isUnused) return -EINVAL;
      options.isFastOpenCookieless = value === 1;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** Whether `key` is one for TCP_FASTOPEN_KEY: one key, or a new and an old one. */
export function isFastOpenKey(key: Uint8Array): boolean {
  return key.length === FAST_OPEN_KEY_BYTES || key.length === 2 * FAST_OPEN_KEY_BYTES;
}
