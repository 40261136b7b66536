/** Bits of a word of a mask's text. */
const WORD_BITS = 32;

/** The CPUs of `affinity`, which has a bit for each; an empty one stands for all `cpuCount` that there are. */
export function cpusOf(affinity: Uint8Array, cpuCount: number): number[] {
  const all = Array.from({ length: cpuCount }, (_, cpu) => cpu);
  return affinity.length === 0 ? all : all.filter((cpu) => (affinity[cpu >> 3]! & (1 << (cpu & 7))) !== 0);
}

/** Ascending `cpus` as a list such as `0-3,8`, cpuset(7) "List format". */
export function cpuList(cpus: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const cpu of cpus) {
    const range = ranges.at(-1);
    if (range?.[1] === cpu - 1) range[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** `cpus` of `cpuCount` as a mask such as `ff,00000001`, cpuset(7) "Mask format": as many digits as there are CPUs for. */
export function cpuMask(cpus: readonly number[], cpuCount: number): string {
  const words: string[] = [];
  for (let first = 0; first < cpuCount; first += WORD_BITS) {
    const bits = Math.min(WORD_BITS, cpuCount - first);
    let word = 0;
    for (const cpu of cpus) if (cpu >= first && cpu < first + bits) word += 2 ** (cpu - first);
    words.unshift(word.toString(16).padStart(Math.ceil(bits / 4), '0'));
  }
  return words.join(',');
}
