// Draws ratios to native as an SVG of horizontal bars on a logarithmic scale; a tick marks each row's target.
import { formatRatio } from './report.mjs';

const WIDTH = 860;
const LABEL_WIDTH = 250;
const VALUE_WIDTH = 56;
const BAR_HEIGHT = 9;
const ROW_GAP = 9;
const TOP = 58;
const COLORS = { 'tsv systrap': '#0f766e', 'tsv ptrace': '#7dd3c8', native: '#64748b' };
const OTHER_COLORS = ['#f59e0b', '#c2410c', '#a16207'];

/** @param {ReturnType<typeof import('./report.mjs').summarize>} summary */
export function toSvg({ runners, rows }) {
  const others = runners.slice(1);
  const greatest = Math.max(10, ...rows.flatMap((row) => others.map((name) => row.ratios[name] || 1)));
  const decades = Math.ceil(Math.log10(greatest) - 1e-9);
  const right = WIDTH - VALUE_WIDTH;
  const x = (ratio) => LABEL_WIDTH + ((Math.log10(ratio) + 0.5) / (decades + 0.5)) * (right - LABEL_WIDTH);
  const rowHeight = others.length * BAR_HEIGHT + ROW_GAP;
  const height = TOP + rows.length * rowHeight + 16;
  const parts = [
    ...legend(others),
    ...Array.from({ length: decades + 1 }, (_, i) => gridLine(x(10 ** i), height, `${10 ** i}x`)),
  ];
  rows.forEach((row, index) => {
    const top = TOP + index * rowHeight;
    parts.push(text(LABEL_WIDTH - 10, top + (others.length * BAR_HEIGHT) / 2 + 4, row.title, 'end', '#0f172a'));
    others.forEach((name, i) => parts.push(...bar(x, top + i * BAR_HEIGHT, row.ratios[name], colorOf(others, name))));
    if (row.targetRatio !== null) parts.push(target(x(row.targetRatio), top, others.length * BAR_HEIGHT));
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`,
    ' font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="Time as a multiple of native">\n',
    `<rect width="100%" height="100%" fill="#ffffff"/>\n`,
    ...parts.map((part) => `${part}\n`),
    '</svg>\n',
  ].join('');
}

function legend(others) {
  const parts = [text(LABEL_WIDTH, 18, 'Time as a multiple of native (less is better)', 'start', '#0f172a')];
  let left = LABEL_WIDTH;
  for (const name of others) {
    parts.push(`<rect x="${left}" y="27" width="10" height="10" fill="${colorOf(others, name)}"/>`);
    parts.push(text(left + 15, 36, name, 'start', '#334155'));
    left += 110;
  }
  parts.push(target(left + 4, 26, 12), text(left + 12, 36, 'target', 'start', '#334155'));
  return parts;
}

function bar(x, y, ratio, color) {
  if (ratio === null) return [];
  const left = x(10 ** -0.5);
  const width = Math.max(1, x(Math.max(ratio, 10 ** -0.45)) - left);
  return [
    `<rect x="${fixed(left)}" y="${y}" width="${fixed(width)}" height="${BAR_HEIGHT - 1}" fill="${color}"/>`,
    `<text x="${fixed(left + width + 4)}" y="${y + BAR_HEIGHT - 2}" font-size="9" fill="#334155">${formatRatio(ratio)}</text>`,
  ];
}

function gridLine(at, height, label) {
  const line = `<line x1="${fixed(at)}" y1="${TOP - 6}" x2="${fixed(at)}" y2="${height - 10}" stroke="#e2e8f0"/>`;
  return `${line}${text(fixed(at), TOP - 9, label, 'middle', '#64748b')}`;
}

function target(at, top, height) {
  return `<line x1="${fixed(at)}" y1="${top - 2}" x2="${fixed(at)}" y2="${top + height + 1}" stroke="#dc2626" stroke-width="2"/>`;
}

function text(x, y, content, anchor, color) {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${color}">${content}</text>`;
}

function colorOf(others, name) {
  const unknown = others.filter((other) => COLORS[other] === undefined);
  return COLORS[name] ?? OTHER_COLORS[unknown.indexOf(name) % OTHER_COLORS.length];
}

function fixed(value) {
  return Number(value.toFixed(1));
}
