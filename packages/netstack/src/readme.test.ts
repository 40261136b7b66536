import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as clock from '@tsv/clock';
import * as netstack from './index.js';

/** Runs a block of the README, whose imports come out of `modules`, and returns its variable `result`. */
function run(block: string, result: string): unknown {
  const modules = { '@tsv/clock': clock, '@tsv/netstack': netstack };
  const body = block.replace(/import (\{[^}]*\}) from ('[^']*');/g, 'const $1 = modules[$2];');
  return (new Function('modules', `${body}\nreturn ${result};`) as (modules: object) => unknown)(modules);
}

describe('README', () => {
  const text = readFileSync(join(__dirname, '../README.md'), 'utf8');
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);

  it('has an example that opens a TCP connection between two stacks', () => {
    expect(blocks).toHaveLength(1);
    expect(run(blocks[0]!, 'received')).toBe(3);
  });
});
