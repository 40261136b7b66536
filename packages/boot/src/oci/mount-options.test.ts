import * as abi from '@tsv/abi';
import { parseMountOptions } from './mount-options.js';

const parse = (options: string[], type?: string): ReturnType<typeof parseMountOptions> =>
  parseMountOptions(options, type, 'mounts.3');

describe('parseMountOptions, config.md "Linux mount options"', () => {
  it.each`
    options                                   | flags
    ${[]}                                     | ${0}
    ${['ro', 'nosuid', 'nodev', 'noexec']}    | ${abi.MS_RDONLY | abi.MS_NOSUID | abi.MS_NODEV | abi.MS_NOEXEC}
    ${['ro', 'rw']}                           | ${0}
    ${['rro', 'rnosuid']}                     | ${abi.MS_RDONLY | abi.MS_NOSUID}
    ${['noatime', 'relatime', 'strictatime']} | ${abi.MS_NOATIME | abi.MS_RELATIME | abi.MS_STRICTATIME}
    ${['sync', 'async']}                      | ${0}
    ${['defaults', 'silent', 'lazytime']}     | ${0}
  `('$options', ({ options, flags }: { options: string[]; flags: number }) => {
    expect(parse(options)).toMatchObject({ flags, data: '', isBind: false });
  });

  it.each`
    options      | type         | isBind   | isRecursive
    ${['bind']}  | ${undefined} | ${true}  | ${false}
    ${['rbind']} | ${'none'}    | ${true}  | ${true}
    ${['ro']}    | ${'bind'}    | ${true}  | ${false}
    ${['ro']}    | ${'tmpfs'}   | ${false} | ${false}
  `('$options of type $type', ({ options, type, isBind, isRecursive }: Bind) => {
    expect(parse(options, type)).toMatchObject({ isBind, isRecursive });
  });

  it.each`
    option           | propagation          | isPropagationRecursive
    ${'private'}     | ${abi.MS_PRIVATE}    | ${false}
    ${'rprivate'}    | ${abi.MS_PRIVATE}    | ${true}
    ${'rshared'}     | ${abi.MS_SHARED}     | ${true}
    ${'slave'}       | ${abi.MS_SLAVE}      | ${false}
    ${'runbindable'} | ${abi.MS_UNBINDABLE} | ${true}
  `('$option', ({ option, propagation, isPropagationRecursive }: Propagation) => {
    expect(parse([option])).toMatchObject({ propagation, isPropagationRecursive, data: '' });
  });

  it('remount', () => {
    expect(parse(['remount', 'ro', 'bind'])).toMatchObject({ isRemount: true, flags: abi.MS_RDONLY, data: '' });
    expect(parse(['ro'], 'tmpfs').isRemount).toBe(false);
  });

  it('leaves the rest to the filesystem', () => {
    expect(parse(['nosuid', 'size=1m', 'mode=755'], 'tmpfs').data).toBe('size=1m,mode=755');
  });

  it.each`
    options                | type         | message
    ${['ro', 'idmap']}     | ${'bind'}    | ${'mounts.3.options.1: "idmap"'}
    ${['nosymfollow']}     | ${'tmpfs'}   | ${'mounts.3.options.0: "nosymfollow"'}
    ${['bind', 'size=1m']} | ${undefined} | ${'mounts.3.options: a bind mount has no "size=1m"'}
  `('refuses $options', ({ options, type, message }: { options: string[]; type?: string; message: string }) => {
    expect(() => parse(options, type)).toThrow(message);
  });
});

interface Bind {
  options: string[];
  type?: string;
  isBind: boolean;
  isRecursive: boolean;
}
interface Propagation {
  option: string;
  propagation: number;
  isPropagationRecursive: boolean;
}
