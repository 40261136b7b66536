/** The vDSO as it is mapped into each program, vdso(7): pages of the memory file that all address spaces share. */
export interface Vdso {
  /** First page of the ELF image, mapped read-only and executable. */
  readonly imagePfn: number;
  readonly imagePageCount: number;
  /** The page of clock parameters, which the image expects right in front of itself, mapped read-only. */
  readonly paramPfn: number;
}
