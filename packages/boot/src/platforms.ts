import type { MemoryFile, Platform, PlatformType } from '@tsv/platform';
import type { RuntimeConfig } from './config.js';
import { SandboxError } from './sandbox-error.js';
import type { SandboxLog } from './sandbox-log.js';

/** Loads the package of a platform only when it is asked for: addons cost start-up time. */
const LOADERS: Readonly<Record<string, () => Promise<PlatformType>>> = {
  systrap: async () => (await import('@tsv/platform-systrap')).systrapPlatform,
  ptrace: async () => (await import('@tsv/platform-ptrace')).ptracePlatform,
};

/** Stands for the first of {@link AUTO_ORDER} that runs here. */
const AUTO = 'auto';
/** Systrap needs a newer host and processor, ptrace a right that hosts may withhold; where both run, systrap is faster. */
const AUTO_ORDER: readonly string[] = ['systrap', 'ptrace'];

/** Names that `--platform` takes. */
export const PLATFORM_NAMES: readonly string[] = [AUTO, ...Object.keys(LOADERS)];

/**
 * Makes the platform that `--platform` asks for. Of `auto` it is the first that can be made: asking each beforehand would
 * start a stub only to ask. Throws {@link SandboxError} when there is none.
 */
export async function openPlatform(
  config: Pick<RuntimeConfig, 'platform' | 'mayPatchCode' | 'mayAnswerCalls'>,
  memoryFile: MemoryFile,
  log: Pick<SandboxLog, 'debug'>,
  load: (name: string) => Promise<PlatformType> = loadPlatform,
): Promise<Platform> {
  const { mayPatchCode, mayAnswerCalls } = config;
  const reasons: string[] = [];
  for (const name of config.platform === AUTO ? AUTO_ORDER : [config.platform]) {
    const type = await load(name);
    try {
      const platform = type.create({ memoryFile, deviceFd: -1, mayPatchCode, mayAnswerCalls });
      log.debug(`Guest code is run by platform ${[platform.name, ...reasons].join('; not by ')}`);
      return platform;
    } catch (error) {
      reasons.push(`"${name}": ${type.unavailableReason() ?? (error as Error).message}`);
    }
  }
  throw new SandboxError(`Cannot use platform ${reasons.join('; nor ')}`);
}

/** The platform called `name`. Throws {@link SandboxError} when there is none. */
async function loadPlatform(name: string): Promise<PlatformType> {
  const load = LOADERS[name];
  if (load === undefined) {
    throw new SandboxError(`Cannot use platform "${name}": there is none; choose from ${PLATFORM_NAMES.join(', ')}`);
  }
  return load();
}

/** Every platform with what it is and why it cannot run here, for `tsv help platforms`. */
export async function describePlatforms(): Promise<
  { name: string; description: string; unavailable: string | null }[]
> {
  const types = await Promise.all(Object.values(LOADERS).map((load) => load()));
  const rows = types.map((type) => ({
    name: type.name,
    description: type.description,
    unavailable: type.unavailableReason(),
  }));
  const auto = rows.find(({ unavailable }) => unavailable === null);
  return [
    {
      name: AUTO,
      description: `The first of ${AUTO_ORDER.join(' and ')} that works: ${auto?.name ?? 'none'} here`,
      unavailable: auto === undefined ? 'no platform works here' : null,
    },
    ...rows,
  ];
}
