import type { Mappable, OpenFile } from '@tsv/vfs';

/** What {@link Mm.map} is asked for; checked by the caller as far as it does not depend on the address space. */
export interface MapRequest {
  /** Page-aligned where it must be there (`isFixed`); else a wish, 0 for none. */
  readonly addr: number;
  /** Whole pages. */
  readonly len: number;
  /** PROT_*. */
  readonly prot: number;
  /** VM_*. */
  readonly flags: number;
  readonly placement: Placement;
  /** Source of pages and where in it they begin; null for private anonymous memory. */
  readonly mappable: Mappable | null;
  readonly file: OpenFile | null;
  readonly offset: number;
  readonly name: string;
  /** All pages are to be there at once, MAP_POPULATE. */
  readonly mustPopulate: boolean;
}

/** How the address of a mapping is chosen. */
export const Placement = {
  /** The address is a wish. */
  ANYWHERE: 0,
  /** In the first 2 GiB, MAP_32BIT. */
  BELOW_2GIB: 1,
  /** There, in place of what is mapped, MAP_FIXED. */
  FIXED: 2,
  /** There, unless something is mapped, MAP_FIXED_NOREPLACE. */
  FIXED_NOREPLACE: 3,
} as const;
export type Placement = (typeof Placement)[keyof typeof Placement];
