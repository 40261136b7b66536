import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';
import { metricOptions } from '../metric-options.js';

/** `tsv export-metrics`: the metrics of a sandbox, once. */
export const run: CommandRun = async (args) => {
  const id = wordOf(args, 'id');
  const { prefix, filter } = metricOptions(args);
  const params = { prefix, labels: { sandbox: id }, ...(filter !== undefined && { filter: filter.source }) };
  process.stdout.write((await containerManager(args).ask(id, 'Metrics.Export', params)).text);
  return 0;
};
