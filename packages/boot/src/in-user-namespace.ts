import { readFileSync } from 'node:fs';

/** Whether the user IDs of this process are not those of the host, user_namespaces(7). */
export function isInUserNamespace(): boolean {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/).map(Number);
  return !(inside === 0 && outside === 0 && count === 4294967295);
}
