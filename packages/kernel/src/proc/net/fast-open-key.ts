import { CAP_NET_ADMIN, EINVAL, EPERM } from '@tsv/abi';
import type { Stack } from '@tsv/netstack';
import type { Caller } from '@tsv/vfs';
import { SettableFile } from '../generated-file.js';
import type { ProcFileSystem } from '../proc-file-system.js';

const WORDS_PER_KEY = 4;

/** net.ipv4.tcp_fastopen_key, ip-sysctl: one key or two, each as four words in hexadecimal. Only root may know it. */
export function fastOpenKeyFile(fs: ProcFileSystem, stackOf: (caller: Caller) => Stack): SettableFile {
  return new SettableFile(
    fs,
    (caller) => `${formatKey(stackOf(caller).tcp.context.fastOpenKey)}\n`,
    (text, caller) => {
      if (!caller.creds.hasCap(CAP_NET_ADMIN)) return -EPERM;
      const key = parseKey(text);
      if (key === null) return -EINVAL;
      stackOf(caller).tcp.context.fastOpenKey = key;
      return 0;
    },
    0o600,
  );
}

function formatKey(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset, key.length);
  const words = Array.from({ length: key.length / 4 }, (_, i) =>
    view
      .getUint32(4 * i, true)
      .toString(16)
      .padStart(8, '0'),
  );
  const keys = [words.slice(0, WORDS_PER_KEY), words.slice(WORDS_PER_KEY)];
  return keys
    .filter((key) => key.length > 0)
    .map((key) => key.join('-'))
    .join(',');
}

/** Null if it is no key. */
function parseKey(text: string): Uint8Array | null {
  const keys = text.trim().split(',');
  const words = keys.map((key) => key.split('-'));
  const isRight = words.every(
    (key) => key.length === WORDS_PER_KEY && key.every((word) => /^[0-9a-f]{1,8}$/i.test(word)),
  );
  if (!isRight || keys.length > 2) return null;
  const key = new Uint8Array(4 * WORDS_PER_KEY * keys.length);
  const view = new DataView(key.buffer);
  for (const [i, word] of words.flat().entries()) view.setUint32(4 * i, parseInt(word, 16), true);
  return key;
}
