import { splitGuestArgs, type CommandSpec, type OptionSpec } from './split-guest-args.js';

const options: Record<string, OptionSpec> = {
  debug: { type: 'boolean' },
  root: { type: 'string' },
};
const own = { cwd: { type: 'string' }, env: { type: 'array', alias: 'e' } } as const;
const commands = new Map<string, CommandSpec>([
  ['do', { options: own, ownWordCount: 0 }],
  ['exec', { options: own, ownWordCount: 1 }],
  ['run', { options: { bundle: { type: 'string' } } }],
]);
const split = (line: string) => splitGuestArgs(line.split(' '), options, commands);

describe('splitGuestArgs', () => {
  it.each`
    line                         | own                      | guest
    ${'run -- ls -l'}            | ${'run'}                 | ${'ls -l'}
    ${'run --bundle=/b id'}      | ${'run --bundle=/b id'}  | ${''}
    ${'do ls -la --debug'}       | ${'do'}                  | ${'ls -la --debug'}
    ${'do --cwd /t ls -la'}      | ${'do --cwd /t'}         | ${'ls -la'}
    ${'do --cwd=/t ls'}          | ${'do --cwd=/t'}         | ${'ls'}
    ${'do --debug ls'}           | ${'do --debug'}          | ${'ls'}
    ${'do -e A=1 --env B=2 env'} | ${'do -e A=1 --env B=2'} | ${'env'}
    ${'--root do do echo do'}    | ${'--root do do'}        | ${'echo do'}
    ${'do -- ls -- -x'}          | ${'do'}                  | ${'ls -- -x'}
    ${'run --bundle /b id -- x'} | ${'run --bundle /b id'}  | ${'x'}
    ${'exec -e A=1 id ls -e x'}  | ${'exec -e A=1 id'}      | ${'ls -e x'}
    ${'exec id -- ls'}           | ${'exec id'}             | ${'ls'}
    ${'do --cwd'}                | ${'do --cwd'}            | ${''}
  `('$line', ({ line, own, guest }: { line: string; own: string; guest: string }) => {
    const result = split(line);
    expect([result.own.join(' '), result.guest.join(' ')]).toEqual([own, guest]);
  });
});
