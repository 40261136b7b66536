/** Rows of text in columns of at least `widthMin`, with `gap` spaces between, as runc prints them. */
export function textTable(rows: readonly (readonly string[])[], widthMin: number, gap: number): string {
  const columnCount = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columnCount }, (_, column) =>
    Math.max(widthMin, ...rows.map((row) => (row[column] ?? '').length + gap)),
  );
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('');
  return `${rows.map(line).join('\n')}\n`;
}
