interface Family {
  readonly head: string[];
  readonly samples: string[];
}

/**
 * One text of several in Prometheus's exposition format, version 0.0.4: all series of a metric must come together, after
 * one HELP and one TYPE line.
 */
export function mergeExpositions(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    let family: Family | null = null;
    let isKnown = false;
    for (const line of text.split('\n')) {
      const [, kind, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (kind === 'HELP') {
        isKnown = families.has(name!);
        family = families.get(name!) ?? { head: [], samples: [] };
        families.set(name!, family);
      }
      if (kind !== undefined && !isKnown) family?.head.push(line);
      else if (kind === undefined && line !== '') family?.samples.push(line);
    }
  }
  const lines = [...families.values()].flatMap(({ head, samples }) => [...head, ...samples]);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
