import { MetricRegistry, SERIES_COUNT_MAX } from './metric-registry.js';

let metrics: MetricRegistry;
beforeEach(() => {
  metrics = new MetricRegistry();
});

describe('MetricRegistry, Prometheus exposition format 0.0.4', () => {
  it('is empty at first', () => {
    expect(metrics.toText()).toBe('');
  });

  it('tells counters by label, with prefix and common labels', () => {
    const calls = metrics.counter('syscalls_total', 'System calls');
    calls.add(2, { name: 'read' });
    calls.add();
    calls.add(1, { name: 'read' });
    expect(metrics.toText('tsv_', { sandbox: 'a' })).toBe(`# HELP tsv_syscalls_total System calls
# TYPE tsv_syscalls_total counter
tsv_syscalls_total{sandbox="a",name="read"} 3
tsv_syscalls_total{sandbox="a"} 1
`);
  });

  it('tells gauges that are set, and those that are read', () => {
    let bytes = 5;
    metrics.gauge('a', 'Read', () => bytes);
    metrics.gauge('b', 'Set').set(-Infinity);
    metrics.gauge('c', 'Several', () => [[{ kind: 'x' }, 1]]);
    bytes = 6;
    const samples = metrics
      .toText()
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    expect(samples).toEqual(['a 6', 'b -Inf', 'c{kind="x"} 1', '']);
  });

  it('counts a value of a histogram in its bucket and those above', () => {
    const latency = metrics.histogram('ms', 'Time', [1, 10]);
    for (const value of [0.5, 1, 5, 100]) latency.observe(value);
    expect(metrics.toText().split('\n').slice(2, -1)).toEqual([
      'ms_bucket{le="1"} 2',
      'ms_bucket{le="10"} 3',
      'ms_bucket{le="+Inf"} 4',
      'ms_sum 106.5',
      'ms_count 4',
    ]);
  });

  it('escapes what it is given', () => {
    metrics.counter('x', 'a\\b\nc').add(1, { path: 'q"\\\n' });
    expect(metrics.toText()).toBe('# HELP x a\\\\b\\nc\n# TYPE x counter\nx{path="q\\"\\\\\\n"} 1\n');
  });

  it('has a bounded number of series', () => {
    const counter = metrics.counter('x', '');
    for (let i = 0; i < SERIES_COUNT_MAX + 5; i++) counter.add(1, { i: String(i) });
    const lines = metrics.toText().split('\n');
    expect(lines).toHaveLength(2 + SERIES_COUNT_MAX + 1 + 1);
    expect(lines.at(-2)).toBe('x{others="true"} 5');
  });

  it('describes what it has', () => {
    metrics.counter('x', 'Text');
    expect(metrics.describe()).toEqual([{ name: 'x', kind: 'counter', help: 'Text' }]);
  });

  it.each([
    ['a bad name', (): unknown => metrics.counter('1x', '')],
    ['a name twice', (): unknown => [metrics.counter('x', ''), metrics.gauge('x', '')]],
    ['bounds that do not ascend', (): unknown => metrics.histogram('h', '', [2, 1])],
    [
      'a bad label',
      (): unknown => {
        metrics.counter('c', '').add(1, { 'a-b': '' });
        return null;
      },
    ],
    [
      'a counter that shrinks',
      (): unknown => {
        metrics.counter('c', '').add(-1);
        return null;
      },
    ],
  ])('refuses %s', (_, attempt) => {
    expect(attempt).toThrow('Cannot');
  });
});
