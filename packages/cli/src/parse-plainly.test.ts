import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { COMMANDS } from './commands/index.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { parsePlainly } from './parse-plainly.js';

const commandOf = (line: string) => COMMANDS.find(({ words }) => line.split(' ').includes(words.split(' ')[0]!))!;

/** What commands find: options by their names in camel case. One letter, or a name with dashes, is another name of the same. */
function inCamelCase(args: object): Record<string, unknown> {
  const named = Object.entries(args).filter(([name]) => /^[a-z][a-zA-Z0-9]+$/.test(name));
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}

const PLAIN_LINES = [
  'run',
  'run id --bundle /b --detach --pid-file=/p --console-socket /s',
  '--root /r --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p 0123',
  'run -b/b id',
  'exec -td id',
  '--debug --platform ptrace --strace-log-size 64 --network=none start id',
  '--systrap-patching off --watchdog-timeout 1.5 --overlay2 all:memory,size=1g do --cwd /tmp --env A=1 -e B=2',
  'do --uid 5',
  'exec -d -p /process.json id',
  'exec --tty --user 1:2 --cap a --cap b -e A=a=b --env=C= --no-new-privs id',
  'kill id KILL',
  'kill id',
  'delete -f id',
  'events --stats id',
  'list -f json -q',
  'update --resources=/r id',
  'boot --options {"a":"-"}',
  'help platforms',
];

/** What yargs finds in each of {@link PLAIN_LINES}. It is an ES module, which Jest cannot load: the built one is asked. */
function foundByYargs(): Record<string, unknown>[] {
  const built = (path: string): string => JSON.stringify(pathToFileURL(join(__dirname, '../dist', path)).href);
  const script = `
    import { parseWithYargs } from ${built('parse-with-yargs.js')};
    import { COMMANDS } from ${built('commands/index.js')};
    const found = [];
    for (const [line, name] of ${JSON.stringify(PLAIN_LINES.map((line) => [line, commandOf(line).words]))}) {
      const command = COMMANDS.find(({ words }) => words === name);
      found.push((await parseWithYargs(line.split(' '), [command])).args);
    }
    console.log(JSON.stringify(found));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return JSON.parse(output) as Record<string, unknown>[];
}

describe('parsePlainly', () => {
  it('finds in plain lines what yargs finds', () => {
    const found = PLAIN_LINES.map((line) => parsePlainly(line.split(' '), commandOf(line), GLOBAL_OPTIONS) ?? {});
    expect(found.map(inCamelCase)).toEqual(foundByYargs().map(inCamelCase));
  });

  it.each([
    ['help', 'run --help'],
    ['the version', 'run --version'],
    ['an unknown option', 'run --fly'],
    ['an unknown letter', 'run -x'],
    ['letters together that are unknown', 'delete -fq id'],
    ['a value that is missing', 'run id --bundle'],
    ['a value that looks like an option', 'run --bundle -x id'],
    ['a dash for a value', 'update --resources=- id'],
    ['an empty value', 'run --bundle= id'],
    ['a value in quotes', 'run --bundle "b" id'],
    ['an option that is given twice', 'run --bundle a --bundle b id'],
    ['a flag that is given twice', 'list -q -q'],
    ['a flag with a value of its own', 'list -q true'],
    ['a flag with its value behind a sign', '--directfs=false list'],
    ['a flag with another value', 'list --quiet=maybe'],
    ['no number', '--watchdog-timeout soon list'],
    ['none of the choices', '--network some list'],
    ['a word that is missing', 'start'],
    ['a word too many', 'start a b'],
    ['an empty word', 'start '],
    ['any number of words', 'spec a b'],
    ['a long alias', 'install --config_file x'],
  ])('leaves %s to yargs', (_, line) => {
    expect(parsePlainly(line.split(' '), commandOf(line), GLOBAL_OPTIONS)).toBeNull();
  });
});
