import type { Spec } from '@tsv/oci';
import type { RuntimeConfig } from './config.js';
import { Loader } from './loader.js';
import { findPlatform } from './platforms.js';
import { openLog } from './quiet-log.js';
import { SandboxError } from './sandbox-error.js';

/** What {@link runContainer} runs. */
export interface RunOptions {
  readonly id: string;
  readonly spec: Spec;
  readonly bundleDir: string;
  readonly config: RuntimeConfig;
}

/**
 * Runs a container in a sandbox of its own in this process, in the foreground. Resolves with its exit status. Throws
 * {@link SandboxError} when it cannot start; nothing is left behind.
 */
export async function runContainer(options: RunOptions): Promise<number> {
  const { config, id } = options;
  const [platformType, log] = await Promise.all([findPlatform(config.platform), openLog(config.log, id)]);
  const loader = new Loader({ ...options, platformType, log });
  try {
    return await loader.run();
  } catch (error) {
    if (error instanceof SandboxError) return fail(error);
    throw error;
  } finally {
    loader.destroy();
  }
}

function fail(error: SandboxError): number {
  process.stderr.write(`tsv: ${error.message}\n`);
  return error.exitStatus;
}
