import type { IpAddress } from '../wire/ip-address.js';

/** From which sources packets to a group are wanted: some (INCLUDE), or all but some (EXCLUDE). RFC 3376 section 2. */
export class SourceFilter {
  readonly isExclude: boolean;
  readonly sources: readonly IpAddress[];

  constructor(isExclude: boolean, sources: readonly IpAddress[]) {
    this.isExclude = isExclude;
    this.sources = sources;
  }

  has(source: IpAddress): boolean {
    return this.sources.some((entry) => entry.equals(source));
  }

  accepts(source: IpAddress): boolean {
    return this.has(source) !== this.isExclude;
  }
}

/** What who joins a group without naming sources wants, and who has not joined. */
export const ANY_SOURCE = new SourceFilter(true, []);
export const NO_SOURCE = new SourceFilter(false, []);

/** What an interface wants whose users want `filters`: RFC 3376 section 3.2, RFC 3810 section 4.2. */
export function mergeFilters(filters: readonly SourceFilter[]): SourceFilter {
  const including = filters.filter(({ isExclude }) => !isExclude);
  const [first, ...others] = filters.filter(({ isExclude }) => isExclude);
  if (first === undefined) return new SourceFilter(false, unionOf(including));
  const isUnwanted = (source: IpAddress): boolean =>
    others.every((filter) => filter.has(source)) && !including.some((filter) => filter.has(source));
  return new SourceFilter(true, first.sources.filter(isUnwanted));
}

/** The sources that only one of two filters has. */
export function sourcesThatDiffer(a: SourceFilter, b: SourceFilter): IpAddress[] {
  return [...a.sources.filter((source) => !b.has(source)), ...b.sources.filter((source) => !a.has(source))];
}

function unionOf(filters: readonly SourceFilter[]): IpAddress[] {
  const union: IpAddress[] = [];
  for (const source of filters.flatMap(({ sources }) => sources)) {
    if (!union.some((entry) => entry.equals(source))) union.push(source);
  }
  return union;
}
