/** A number source that a seed determines (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % end;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Somewhere that {@link randomOperation} can be carried out. Each returns a result, or a negated errno. */
export interface FileOperations {
  mkdir(path: string): number;
  rmdir(path: string): number;
  create(path: string, text: string): number;
  append(path: string, text: string): number;
  truncate(path: string, len: number): number;
  unlink(path: string): number;
  rename(from: string, to: string): number;
  link(from: string, to: string): number;
  symlink(target: string, path: string): number;
  readlink(path: string): string | number;
  read(path: string): string | number;
  /** Names without `.` and `..`, sorted and joined. */
  list(path: string): string | number;
  /** Type, links and size (of files only), as text. */
  stat(path: string): string | number;
  lstat(path: string): string | number;
}

const NAMES = ['a', 'b', 'c', 'd'];

/** Carries out one random operation. Returns what it was and what came of it, as text. */
export function randomOperation(
  random: SeededRandom,
  on: FileOperations,
  options: { renamesDirectories: boolean },
): string {
  const path = randomPath(random);
  const other = randomPath(random);
  const text = 'x'.repeat(random.below(6000));
  const operation = random.below(16);
  switch (operation) {
    case 0:
    case 1:
      return `mkdir ${path}: ${on.mkdir(path)}`;
    case 2:
      return `rmdir ${path}: ${on.rmdir(path)}`;
    case 3:
    case 4:
      return `create ${path}: ${on.create(path, text)}`;
    case 5:
      return `append ${path}: ${on.append(path, text)}`;
    case 6:
      return `truncate ${path}: ${on.truncate(path, random.below(8000))}`;
    case 7:
      return `unlink ${path}: ${on.unlink(path)}`;
    case 8:
    case 9:
      if (!options.renamesDirectories && String(on.lstat(path)).startsWith('dir')) return 'rename skipped';
      return `rename ${path} ${other}: ${on.rename(path, other)}`;
    case 10:
      return `link ${path} ${other}: ${on.link(path, other)}`;
    case 11:
      return symlink(on, other, path);
    case 12:
      return `readlink ${path}: ${on.readlink(path)}`;
    case 13:
      return `read ${path}: ${digest(on.read(path))}`;
    case 14:
      return `list ${path}: ${on.list(path)}`;
    default:
      return `stat ${path}: ${on.stat(path)} ${on.lstat(path)}`;
  }
}

/** A target has no dots: `..` behind a link to `.` would leave the tree. */
function symlink(on: FileOperations, other: string, path: string): string {
  const target = other.replaceAll('.', '') === other ? other : 'a';
  return `symlink ${target} ${path}: ${on.symlink(target, path)}`;
}

function randomPath(random: SeededRandom): string {
  const count = 1 + random.below(3);
  const parts: string[] = [];
  for (let i = 0; i < count; i++) parts.push(random.below(12) === 0 ? random.of(['.', '..']) : random.of(NAMES));
  // Nothing but names at the start, so that no path leaves the tree.
  if (parts[0] === '..') parts[0] = 'a';
  let depth = 0;
  for (const [i, part] of parts.entries()) {
    depth += part === '..' ? -1 : part === '.' ? 0 : 1;
    if (depth < 0) parts[i] = 'b';
  }
  return parts.join('/') + (random.below(10) === 0 ? '/' : '');
}

function digest(content: string | number): string {
  return typeof content === 'number'
    ? String(content)
    : `${content.length} bytes ${content.replaceAll('\0', '0').slice(-3)}`;
}
