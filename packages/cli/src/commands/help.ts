import { describePlatforms, describeSyscalls } from '../sentry.js';
import Table from 'cli-table3';
import { CommandError, type CommandRun } from '../command.js';

/** `tsv help platforms` and `tsv help syscalls`. */
export const run: CommandRun = async (args) => {
  const topic = String(args['topic']);
  const rows = await findRows(topic);
  process.stdout.write(`${show(rows, String(args['format']))}\n`);
  return 0;
};

type Row = Readonly<Record<string, string | number>>;

async function findRows(topic: string): Promise<readonly Row[]> {
  if (topic === 'platforms') {
    const platforms = await describePlatforms();
    return platforms.map(({ name, description, unavailable }) => ({
      name,
      description,
      state: unavailable === null ? 'works here' : unavailable,
    }));
  }
  if (topic === 'syscalls') return describeSyscalls();
  throw new CommandError(`Cannot help with "${topic}": choose platforms or syscalls`);
}

function show(rows: readonly Row[], format: string): string {
  const names = Object.keys(rows[0] ?? {});
  if (format === 'json') return JSON.stringify(rows, null, 2);
  if (format === 'csv') {
    const cell = (value: unknown): string =>
      /[",\n]/.test(String(value)) ? JSON.stringify(value).replaceAll('\\"', '""') : String(value);
    return [names, ...rows.map((row) => names.map((name) => row[name]))]
      .map((cells) => cells.map(cell).join(','))
      .join('\n');
  }
  const table = new Table({ head: names, style: { head: [], border: [] } });
  for (const row of rows) table.push(names.map((name) => String(row[name])));
  return table.toString();
}
