import { close, dup3 } from '@tsv/host';
import { openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostFdWatcher } from '@tsv/gofer';
import { parseConfig, type Spec } from '@tsv/oci';
import { createMemoryFile } from '@tsv/pgalloc';
import type { Platform } from '@tsv/platform';
import type { RuntimeConfig } from './config.js';
import { Coverage } from './coverage.js';
import { stabilizeStdio } from './container/stable-stdio.js';
import { exitStatusOf } from './container/wait-status.js';
import { ControlHandlers } from './control/control-handlers.js';
import { ControlServer } from './control/control-server.js';
import { describeStacks } from './control/describe-stacks.js';
import type { MethodHandlers, MethodParams } from './control/methods.js';
import { withPassedIo } from './control/passed-io.js';
import { Loader, type ContainerArgs } from './loader.js';
import { hostSize, memoryFileChunkCountMax } from './machine-size.js';
import { PanicSignal } from './panic-signal.js';
import { openPlatform } from './platforms.js';
import { SandboxError } from './sandbox-error.js';
import type { SandboxLog } from './sandbox-log.js';
import { SignalForwarding } from './signal-forwarding.js';
import { UserLog } from './user-log.js';

/** How long clients may take to read their last answers. */
const DRAIN_MS = 1000;
const STEP_MS = 5;
const STDERR = 2;
/** Exit status of a sandbox that was not asked for any more. */
const EXIT_ABANDONED = 128;

/** What a sentry is started with. */
export interface SentryOptions {
  readonly config: RuntimeConfig;
  readonly log: SandboxLog;
  /** A bound socket for the control server, or -1. It is taken over. */
  readonly listenFd: number;
  /** The first container's configuration, where this process has read it already. */
  readonly spec?: Spec;
}

/** A sandbox with its control server, in this process. */
export class Sentry {
  readonly #options: SentryOptions;
  readonly #watcher = new HostFdWatcher();
  readonly #handlers: ControlHandlers;
  readonly #server: ControlServer;
  #loader: Loader | null = null;
  #hasBegun = false;
  #isDestroyed = false;
  #forwarding: SignalForwarding | null = null;
  #panicSignal: PanicSignal | null = null;
  readonly #coverage: Coverage | null;
  /** The connection that makes the sandbox, until the creation is committed. */
  #creator = 0;
  #finish!: (status: number) => void;
  #fail!: (error: unknown) => void;
  readonly #finished: Promise<number>;

  constructor(options: SentryOptions) {
    this.#options = options;
    const { coverageFile } = options.config;
    this.#coverage = coverageFile === null ? null : new Coverage(coverageFile);
    this.#finished = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    this.#handlers = new ControlHandlers(() => this.#existingLoader(), this.#watcher);
    const methods: MethodHandlers = { ...this.#handlers.methods, ...this.#creation() };
    this.#server = new ControlServer(options.listenFd, this.#watcher, methods, (connection) => {
      this.#handlers.connectionClosed(connection);
      if (connection === this.#creator) this.#finish(EXIT_ABANDONED);
    });
  }

  /** The sandbox's watcher, for descriptors of containers made here. */
  get watcher(): HostFdWatcher {
    return this.#watcher;
  }

  /** Serves the connection `fd`: it is to make the sandbox and commit it; the sandbox ends if it goes before. */
  createdBy(fd: number): void {
    this.#creator = this.#server.serve(fd);
  }

  /** Makes the sandbox with its first container; the user log is taken over. Throws {@link SandboxError}. */
  async create(args: ContainerArgs, userLog: UserLog | null = null): Promise<Loader> {
    if (this.#hasBegun) throw new SandboxError('Cannot create the sandbox: it exists already');
    this.#hasBegun = true;
    const { config, log } = this.#options;
    const loader = await this.#makeLoader(args, userLog);
    if (this.#isDestroyed) {
      loader.destroy();
      throw new SandboxError('Cannot create the sandbox: nobody waits for it any more');
    }
    this.#loader = loader;
    loader.onFailure((error) => {
      this.#fail(error);
    });
    await loader.openNetwork(args);
    const container = loader.createContainer(args);
    void container.ended.then((status) => {
      this.#finish(exitStatusOf(status));
    });
    this.#forwarding = new SignalForwarding((signo) => {
      loader.forwardSignal(signo);
    }, config.panicSignal);
    if (config.panicSignal !== null) {
      this.#panicSignal = new PanicSignal(config.panicSignal, () => {
        log.error(describeStacks(loader.kernel));
        this.#fail(new SandboxError(`The sandbox ends: it was sent signal ${config.panicSignal!}`));
      });
    }
    return loader;
  }

  /** Throws {@link SandboxError}; what was made until then is given back. */
  async #makeLoader({ id, spec }: ContainerArgs, userLog: UserLog | null): Promise<Loader> {
    const { config, log } = this.#options;
    const memoryFile = createMemoryFile({ chunkCountMax: memoryFileChunkCountMax(hostSize().totalMemoryBytes) });
    let platform: Platform | null = null;
    try {
      platform = await openPlatform(config, memoryFile, log);
      return new Loader({ id, spec, config, platform, memoryFile, log, watcher: this.#watcher, userLog });
    } catch (error) {
      platform?.close();
      memoryFile.close();
      throw error;
    }
  }

  /** Resolves with the exit status when the first container has ended and its clients were told. */
  async run(): Promise<number> {
    try {
      const status = await this.#finished;
      await sleep(0); // Handlers that waited for the same end answer first.
      await this.#checkLeaks();
      for (let leftMs = DRAIN_MS; !this.#server.isDrained && leftMs > 0; leftMs -= STEP_MS) await sleep(STEP_MS);
      return status;
    } finally {
      this.destroy();
    }
  }

  /** Gives everything back. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#forwarding?.stop();
    this.#panicSignal?.stop();
    this.#server.close();
    this.#loader?.destroy();
    this.#loader = null;
    this.#watcher.close();
    this.#coverage?.report();
  }

  async #checkLeaks(): Promise<void> {
    const { config, log } = this.#options;
    if (config.leakMode === 'disabled' || this.#loader === null) return;
    const leaks = await this.#loader.findLeaks();
    for (const leak of leaks) log.error(`Leak: ${leak}`);
    if (leaks.length > 0 && config.leakMode === 'panic') {
      throw new SandboxError(`The sandbox ends: ${leaks.length} kinds of objects have leaked`);
    }
  }

  #creation(): MethodHandlers {
    return {
      'containerManager.CreateRoot': (params, fds, connection) => this.#createRoot(params, fds, connection),
      'containerManager.Commit': (_params, fds, connection) => {
        for (const fd of fds) close(fd);
        if (connection === this.#creator) this.#commit();
        return {};
      },
    };
  }

  async #createRoot(
    params: MethodParams<'containerManager.CreateRoot'>,
    fds: readonly number[],
    connection: number,
  ): Promise<Record<string, never>> {
    const { id, bundleDir, hasUserLog } = params;
    const userLogFd = hasUserLog ? (fds.at(-1) ?? -1) : -1;
    return withPassedIo(params, hasUserLog ? fds.slice(0, -1) : fds, this.#watcher, async (io) => {
      if (connection !== this.#creator) throw new SandboxError('Cannot create the sandbox: it exists already');
      const spec = this.#options.spec ?? parseConfig(params.config, `${bundleDir}/config.json`);
      const args = { id, spec, bundleDir, io: { ...io, stdio: stabilizeStdio(io.stdio) } };
      await this.create(args, hasUserLog ? new UserLog(userLogFd) : null);
      return {};
    });
  }

  /** From here on the sandbox stands alone: nobody waits for its own words where its creator's went. */
  #commit(): void {
    this.#creator = 0;
    const { log } = this.#options.config;
    if (log.isDebug && log.path === null) return;
    const nowhere = openSync('/dev/null', 'w');
    dup3(nowhere, STDERR, 0);
    close(nowhere);
  }

  #existingLoader(): Loader {
    if (this.#loader === null) throw new SandboxError('Cannot use the sandbox: it was not created yet');
    return this.#loader;
  }
}
