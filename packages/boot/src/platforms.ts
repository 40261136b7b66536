import { PlatformRegistry, type PlatformType } from '@tsv/platform';
import { SandboxError } from './sandbox-error.js';

/** Loads the package of a platform only when it is asked for: addons cost start-up time. */
const LOADERS: Readonly<Record<string, () => Promise<PlatformType>>> = {
  ptrace: async () => (await import('@tsv/platform-ptrace')).ptracePlatform,
  systrap: async () => (await import('@tsv/platform-systrap')).systrapPlatform,
};

/** Names that `--platform` takes. */
export const PLATFORM_NAMES: readonly string[] = Object.keys(LOADERS);

/** The platform called `name`. Throws {@link SandboxError} when there is none. */
export async function findPlatform(name: string): Promise<PlatformType> {
  const load = LOADERS[name];
  if (load === undefined) {
    throw new SandboxError(`Cannot use platform "${name}": there is none; choose from ${PLATFORM_NAMES.join(', ')}`);
  }
  const registry = new PlatformRegistry();
  registry.register(await load());
  return registry.lookup(name)!;
}

/** Every platform with what it is and why it cannot run here, for `tsv help platforms`. */
export async function describePlatforms(): Promise<
  { name: string; description: string; unavailable: string | null }[]
> {
  const types = await Promise.all(Object.values(LOADERS).map((load) => load()));
  return types.map((type) => ({
    name: type.name,
    description: type.description,
    unavailable: type.unavailableReason(),
  }));
}
