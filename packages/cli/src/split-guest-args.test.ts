import { splitGuestArgs, type OptionSpec } from './split-guest-args.js';

const options: Record<string, OptionSpec> = {
  debug: { type: 'boolean' },
  root: { type: 'string' },
  cwd: { type: 'string' },
  env: { type: 'array', alias: 'e' },
};
const split = (line: string) => splitGuestArgs(line.split(' '), options, new Set(['do', 'exec']));

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
    ${'do --cwd'}                | ${'do --cwd'}            | ${''}
  `('$line', ({ line, own, guest }: { line: string; own: string; guest: string }) => {
    const result = split(line);
    expect([result.own.join(' '), result.guest.join(' ')]).toEqual([own, guest]);
  });
});
