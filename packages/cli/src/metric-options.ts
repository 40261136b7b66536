import { CommandError, textOf, type CommandArguments } from './command.js';

/** What the options of the commands for metrics say. */
export interface MetricOptions {
  readonly prefix: string;
  readonly filter: RegExp | undefined;
}

/** Reads the options of the commands for metrics. Throws {@link CommandError}. */
export function metricOptions(args: CommandArguments): MetricOptions {
  const prefix = textOf(args, 'exporterPrefix') ?? '';
  if (!/^[a-zA-Z_:]?[a-zA-Z0-9_:]*$/.test(prefix)) {
    throw new CommandError(`Cannot use "${prefix}" for --exporter-prefix: no metric can be called so`);
  }
  const filter = textOf(args, 'sandboxMetricsFilter');
  try {
    return { prefix, filter: filter === undefined ? undefined : new RegExp(filter) };
  } catch (error) {
    throw new CommandError(`Cannot use --sandbox-metrics-filter: ${(error as Error).message}`);
  }
}
