import { AF_UNIX, EINVAL, SIZEOF_SOCKADDR_UN, SUN_PATH, type Errno } from '@tsv/abi';

/** An address of unix(7): a path, or a name in the abstract namespace. Byte strings. */
export interface UnixAddress {
  readonly isAbstract: boolean;
  /** The path without the NUL that ends it, or the abstract name without the NUL that begins it. */
  readonly name: string;
}

/** Reads a `struct sockaddr_un` of `len` bytes. Errors: EINVAL. */
export function loadUnixAddress(bytes: Uint8Array, len: number): UnixAddress | Errno {
  if (len <= SUN_PATH || len > SIZEOF_SOCKADDR_UN || bytes[0] !== AF_UNIX || bytes[1] !== 0) return -EINVAL;
  const isAbstract = bytes[SUN_PATH] === 0;
  let end = len;
  if (!isAbstract) {
    end = SUN_PATH;
    while (end < len && bytes[end] !== 0) end++;
  }
  let name = '';
  for (let at = isAbstract ? SUN_PATH + 1 : SUN_PATH; at < end; at++) name += String.fromCharCode(bytes[at]!);
  return { isAbstract, name };
}

/** Writes `address` as a `struct sockaddr_un`, or only its family if it is null. Returns the length. */
export function storeUnixAddress(dst: Uint8Array, address: UnixAddress | null): number {
  dst[0] = AF_UNIX;
  dst[1] = 0;
  if (address === null) return SUN_PATH;
  let at = SUN_PATH;
  if (address.isAbstract) dst[at++] = 0;
  for (let i = 0; i < address.name.length; i++) dst[at++] = address.name.charCodeAt(i);
  if (!address.isAbstract) dst[at++] = 0;
  return at;
}
