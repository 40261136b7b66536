import { ENOMEM, storeI64, type Errno } from '@tsv/abi';
import { PAGE_BYTES, UsageKind, chunkAt, chunkOf, type CpuAnswerPlace, type MemoryFile } from '@tsv/platform';
import { PARAM_CPU_GS_LEN, PARAM_CPU_GS_START, PARAM_CPU_OFFSET, VDSO_IMAGE } from './vdso-image.generated.js';

/** The vDSO as it is mapped into each program, vdso(7): pages of the memory file that all address spaces share. */
export interface Vdso {
  /** First page of the ELF image, mapped read-only and executable. */
  readonly imagePfn: number;
  readonly imagePageCount: number;
  /** The page of clock parameters, which the image expects right in front of itself, mapped read-only. */
  readonly paramPfn: number;
}

const ANYWHERE = -1;

/**
 * Puts the vDSO into the memory file; the pages are held for as long as that lives. Without `cpuAnswer` its getcpu(2) is a
 * system call. Errors: ENOMEM.
 */
export function createVdso(memory: MemoryFile, cpuAnswer?: CpuAnswerPlace): Vdso | Errno {
  const image = new Uint8Array(new Int32Array(VDSO_IMAGE).buffer);
  const imagePageCount = Math.ceil(image.length / PAGE_BYTES);
  const paramPfn = memory.allocate(1 + imagePageCount, UsageKind.SYSTEM, ANYWHERE);
  if (paramPfn < 0) return -ENOMEM;
  const imagePfn = paramPfn + 1;
  memory.chunks[chunkOf(imagePfn)]!.set(image, chunkAt(imagePfn));
  if (cpuAnswer !== undefined) {
    const view = memory.views[chunkOf(paramPfn)]!;
    const at = chunkAt(paramPfn);
    storeI64(view, at + PARAM_CPU_GS_START, cpuAnswer.gsStart);
    storeI64(view, at + PARAM_CPU_GS_LEN, cpuAnswer.gsEnd - cpuAnswer.gsStart);
    storeI64(view, at + PARAM_CPU_OFFSET, cpuAnswer.offset);
  }
  return { imagePfn, imagePageCount, paramPfn };
}
