import { ENOMEM, type Errno } from '@tsv/abi';
import { PAGE_BYTES, UsageKind, chunkAt, chunkOf, type MemoryFile } from '@tsv/platform';
import { VDSO_IMAGE } from './vdso-image.generated.js';

/** The vDSO as it is mapped into each program, vdso(7): pages of the memory file that all address spaces share. */
export interface Vdso {
  /** First page of the ELF image, mapped read-only and executable. */
  readonly imagePfn: number;
  readonly imagePageCount: number;
  /** The page of clock parameters, which the image expects right in front of itself, mapped read-only. */
  readonly paramPfn: number;
}

const ANYWHERE = -1;

/** Puts the vDSO into the memory file; the pages are held for as long as that lives. Errors: ENOMEM. */
export function createVdso(memory: MemoryFile): Vdso | Errno {
  const image = decodeBase64(VDSO_IMAGE);
  const imagePageCount = Math.ceil(image.length / PAGE_BYTES);
  const paramPfn = memory.allocate(1 + imagePageCount, UsageKind.SYSTEM, ANYWHERE);
  if (paramPfn < 0) return -ENOMEM;
  const imagePfn = paramPfn + 1;
  memory.chunks[chunkOf(imagePfn)]!.set(image, chunkAt(imagePfn));
  return { imagePfn, imagePageCount, paramPfn };
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Bytes of base64 text, RFC 4648 section 4. */
function decodeBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.replace(/=+$/, '').length * 3) / 4));
  let word = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    word = ((word << 6) | DIGITS.indexOf(text[i]!)) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (word >>> bits) & 0xff;
  }
  return bytes;
}
