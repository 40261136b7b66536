import type { MemoryFile, Platform, PlatformType } from '@tsv/platform';
import { openPlatform } from './platforms.js';

const MEMORY = {} as MemoryFile;
const lines: string[] = [];
const log = { debug: (line: string) => lines.push(line) };
beforeEach(() => {
  lines.length = 0;
});

/** Platforms of which only these can be made here. */
function working(...names: string[]): (name: string) => Promise<PlatformType> {
  return (name) =>
    Promise.resolve({
      name,
      description: '',
      unavailableReason: () => (names.includes(name) ? null : `${name} is not for this host`),
      create: () => {
        if (!names.includes(name)) throw new Error('it failed');
        return { name } as Platform;
      },
    });
}

async function opened(platform: string, load?: (name: string) => Promise<PlatformType>): Promise<string> {
  return (await openPlatform({ platform, mayPatchCode: true, mayAnswerCalls: true }, MEMORY, log, load)).name;
}

describe('openPlatform', () => {
  it.each([
    ['auto', ['systrap', 'ptrace'], 'systrap'],
    ['auto', ['ptrace'], 'ptrace'],
    ['ptrace', ['systrap', 'ptrace'], 'ptrace'],
  ])('%s, where %j work, is %s', async (name, names, expected) => {
    expect(await opened(name, working(...names))).toBe(expected);
    expect(lines).toEqual([expect.stringMatching(`^Guest code is run by platform ${expected}`)]);
  });

  it('says why auto is not the first', async () => {
    await opened('auto', working('ptrace'));
    expect(lines).toEqual(['Guest code is run by platform ptrace; not by "systrap": systrap is not for this host']);
  });

  it.each([
    ['auto', '"systrap": systrap is not for this host; nor "ptrace": ptrace is not for this host'],
    ['ptrace', '"ptrace": ptrace is not for this host'],
  ])('tells why there is none for %s', async (name, reasons) => {
    await expect(opened(name, working())).rejects.toThrow(`Cannot use platform ${reasons}`);
  });

  it('knows its names', async () => {
    await expect(opened('vmware')).rejects.toThrow('there is none; choose from auto, systrap, ptrace');
  });
});
