// Turns samples into medians and ratios, and prints them as a Markdown table.
import { LIMITS } from './rows.mjs';

const SANDBOX_ROWS = [
  { name: 'start_ms', title: 'start of /bin/true, whole command', unit: 'ms' },
  { name: 'rss_mb', title: 'resident memory of the sentry', unit: 'MB' },
  { name: 'idle_cpu_ms_per_s', title: 'CPU time a second while a guest sleeps', unit: 'ms' },
];

/**
 * @param {readonly import('./rows.mjs').Row[]} rows
 * @param {readonly string[]} runners
 * @param {Map<string, Map<string, number[]>>} samples By runner and figure.
 */
export function summarize(rows, runners, samples) {
  const of = (runner, name) => median(samples.get(runner).get(name) ?? []);
  const lines = rows
    .filter((row) => row.program !== 'sandbox')
    .map(({ name, title, group, targetRatio }) => {
      const nativeNs = of('native', name);
      const ratios = Object.fromEntries(runners.slice(1).map((runner) => [runner, round(of(runner, name) / nativeNs)]));
      return { name, title, group, targetRatio, nativeNs, ratios };
    });
  const sandbox = SANDBOX_ROWS.filter(({ name }) => samples.get('native').has(name)).map((row) => ({
    ...row,
    limit: LIMITS[row.name],
    values: Object.fromEntries(runners.map((runner) => [runner, round(of(runner, row.name))])),
  }));
  return { runners, rows: lines, sandbox };
}

export function toMarkdown({ runners, rows, sandbox }) {
  const others = runners.slice(1);
  const lines = [
    cells(['operation', 'native', 'target', ...others]),
    cells(['---', '--:', '--:', ...others.map(() => '--:')]),
  ];
  for (const { title, nativeNs, targetRatio, ratios } of rows) {
    const target = targetRatio === null ? '' : `${targetRatio}x`;
    lines.push(cells([title, formatNs(nativeNs), target, ...others.map((runner) => formatRatio(ratios[runner]))]));
  }
  for (const { title, unit, limit, values } of sandbox) {
    const texts = others.map((runner) => formatValue(values[runner], unit));
    lines.push(cells([title, formatValue(values.native, unit), `${limit} ${unit}`, ...texts]));
  }
  return lines.join('\n');
}

export function formatNs(ns) {
  if (ns < 1e4) return `${(ns / 1e3).toPrecision(2)} us`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(0)} us`;
  return ns < 1e9 ? `${(ns / 1e6).toPrecision(3)} ms` : `${(ns / 1e9).toPrecision(3)} s`;
}

export function formatRatio(ratio) {
  if (ratio === null) return '-';
  return `${ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0)}x`;
}

function formatValue(value, unit) {
  return value === null ? '-' : `${value.toPrecision(3)} ${unit}`;
}

function cells(texts) {
  return `| ${texts.join(' | ')} |`;
}

/** Four digits; null when there is no value. */
function round(value) {
  return Number.isNaN(value) ? null : Number(value.toPrecision(4));
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[Math.floor(sorted.length / 2)];
}
