/** Labels of one series: names as Prometheus takes them. */
export type Labels = Readonly<Record<string, string>>;

/** Reads a gauge: one number, or one by label. */
export type ReadGauge = () => number | Iterable<readonly [labels: Labels, value: number]>;

type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Series that one metric may have: labels come from guests too. */
export const SERIES_COUNT_MAX = 1000;
const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The metrics of a sandbox, and their text in Prometheus's exposition format, version 0.0.4. */
export class MetricRegistry {
  readonly #metrics = new Map<string, Metric>();

  /** A number that only grows. By convention its name ends in `_total`. */
  counter(name: string, help: string): Counter {
    return this.#add(new Counter(name, help));
  }

  /** Numbers that are set, or read by `read` when the metrics are told. */
  gauge(name: string, help: string, read?: ReadGauge): Gauge {
    return this.#add(new Gauge(name, help, read));
  }

  /** Counts values by upper bounds, which ascend; one bucket more has what is above the last. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.#add(new Histogram(name, help, bounds));
  }

  /** Names, kinds and descriptions, for `metric-metadata`. */
  describe(): { name: string; kind: MetricKind; help: string }[] {
    return [...this.#metrics.values()].map(({ name, kind, help }) => ({ name, kind, help }));
  }

  /** All metrics as text whose name `wanted` matches; `prefix` comes before each name, `labels` are added to each series. */
  toText(prefix = '', labels: Labels = {}, wanted: RegExp | null = null): string {
    const lines: string[] = [];
    for (const metric of this.#metrics.values()) {
      if (wanted !== null && !wanted.test(metric.name)) continue;
      const name = prefix + metric.name;
      lines.push(`# HELP ${name} ${escapeHelp(metric.help)}`, `# TYPE ${name} ${metric.kind}`);
      for (const [suffix, own, value] of metric.samples()) {
        lines.push(`${name}${suffix}${labelText({ ...labels, ...own })} ${numberText(value)}`);
      }
    }
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  }

  #add<M extends Metric>(metric: M): M {
    if (!METRIC_NAME.test(metric.name)) throw new Error(`Cannot add metric "${metric.name}": it is no metric name`);
    if (this.#metrics.has(metric.name)) throw new Error(`Cannot add metric "${metric.name}": the name is taken`);
    this.#metrics.set(metric.name, metric);
    return metric;
  }
}

/** One line: what comes after the name, labels, and the value. */
type Sample = readonly [suffix: string, labels: Labels, value: number];

abstract class Metric {
  abstract readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;

  constructor(name: string, help: string) {
    this.name = name;
    this.help = help;
  }

  abstract samples(): Iterable<Sample>;
}

/** Values by labels. New labels beyond {@link SERIES_COUNT_MAX} are not counted apart. */
class Series<Value> {
  readonly #byKey = new Map<string, { readonly labels: Labels; value: Value }>();
  readonly #initial: () => Value;

  constructor(initial: () => Value) {
    this.#initial = initial;
  }

  at(labels: Labels): { readonly labels: Labels; value: Value } {
    const key = labelText(labels);
    let entry = this.#byKey.get(key);
    if (entry !== undefined) return entry;
    if (this.#byKey.size >= SERIES_COUNT_MAX) return key === OTHERS_KEY ? this.#make(key, labels) : this.at(OTHERS);
    entry = this.#make(key, labels);
    return entry;
  }

  get entries(): Iterable<{ readonly labels: Labels; value: Value }> {
    return this.#byKey.values();
  }

  #make(key: string, labels: Labels): { readonly labels: Labels; value: Value } {
    for (const name of Object.keys(labels)) {
      if (!LABEL_NAME.test(name)) throw new Error(`Cannot use label "${name}": it is no label name`);
    }
    const entry = { labels, value: this.#initial() };
    this.#byKey.set(key, entry);
    return entry;
  }
}

const OTHERS: Labels = { others: 'true' };

export class Counter extends Metric {
  readonly kind = 'counter';
  readonly #series = new Series<number>(() => 0);

  /** Adds `amount`, which is not negative. */
  add(amount = 1, labels: Labels = {}): void {
    if (!(amount >= 0)) throw new Error(`Cannot add ${amount} to counter "${this.name}": it only grows`);
    this.#series.at(labels).value += amount;
  }

  *samples(): Iterable<Sample> {
    for (const { labels, value } of this.#series.entries) yield ['', labels, value];
  }
}

export class Gauge extends Metric {
  readonly kind = 'gauge';
  readonly #series = new Series<number>(() => 0);
  readonly #read: ReadGauge | undefined;

  constructor(name: string, help: string, read?: ReadGauge) {
    super(name, help);
    this.#read = read;
  }

  set(value: number, labels: Labels = {}): void {
    this.#series.at(labels).value = value;
  }

  *samples(): Iterable<Sample> {
    const read = this.#read?.() ?? [];
    if (typeof read === 'number') yield ['', {}, read];
    else for (const [labels, value] of read) yield ['', labels, value];
    for (const { labels, value } of this.#series.entries) yield ['', labels, value];
  }
}

interface Buckets {
  readonly counts: Float64Array;
  sum: number;
  count: number;
}

export class Histogram extends Metric {
  readonly kind = 'histogram';
  readonly #bounds: readonly number[];
  readonly #series: Series<Buckets>;

  constructor(name: string, help: string, bounds: readonly number[]) {
    super(name, help);
    if (bounds.some((bound, index) => index > 0 && bound <= bounds[index - 1]!)) {
      throw new Error(`Cannot add metric "${name}": its bounds do not ascend`);
    }
    this.#bounds = bounds;
    this.#series = new Series(() => ({ counts: new Float64Array(bounds.length), sum: 0, count: 0 }));
  }

  /** Counts one value. */
  observe(value: number, labels: Labels = {}): void {
    const buckets = this.#series.at(labels).value;
    buckets.sum += value;
    buckets.count++;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index >= 0) buckets.counts[index]!++;
  }

  *samples(): Iterable<Sample> {
    for (const { labels, value } of this.#series.entries) {
      let below = 0;
      for (const [index, bound] of this.#bounds.entries()) {
        below += value.counts[index]!;
        yield ['_bucket', { ...labels, le: numberText(bound) }, below];
      }
      yield ['_bucket', { ...labels, le: '+Inf' }, value.count];
      yield ['_sum', labels, value.sum];
      yield ['_count', labels, value.count];
    }
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const OTHERS_KEY = labelText(OTHERS);

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
