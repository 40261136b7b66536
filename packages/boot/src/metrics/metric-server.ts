import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ContainerManager } from '../container/container-manager.js';
import { SandboxError } from '../sandbox-error.js';
import type { ListenAddress } from './listen-address.js';
import { mergeExpositions } from './merge-expositions.js';
import { MetricRegistry } from './metric-registry.js';

/** How long a sandbox may take to tell its metrics. */
const SANDBOX_MS = 5_000;
/** Sandboxes that are asked at once. */
const ASKED_AT_ONCE = 16;
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What a {@link MetricServer} is made with. */
export interface MetricServerOptions {
  readonly manager: ContainerManager;
  /** Comes before the name of each metric. */
  readonly prefix: string;
  /** Names of metrics, without the prefix, that are told; all when absent. */
  readonly filter?: RegExp | undefined;
}

/** Serves the metrics of all sandboxes of a `--root` at `/metrics`, for Prometheus; `/healthz` says that it runs. */
export class MetricServer {
  readonly #options: MetricServerOptions;
  readonly #server: Server;

  constructor(options: MetricServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  /** Resolves with where it listens: the path, or `HOST:PORT`. Throws {@link SandboxError}. */
  async listen(address: ListenAddress): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => {
        reject(new SandboxError(`Cannot serve metrics: ${error.message}`));
      });
      this.#server.listen(address, resolve);
    });
    if ('path' in address) return address.path;
    const { address: host, port, family } = this.#server.address() as AddressInfo;
    return `${family === 'IPv6' ? `[${host}]` : host}:${port}`;
  }

  /** Ends, with the connections that there are. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.replace(/\?.*$/s, '');
    if (method !== 'GET' && method !== 'HEAD') send(response, 405, 'Only GET is answered\n');
    else if (path === '/healthz') send(response, 200, 'OK\n');
    else if (path !== '/metrics') send(response, 404, 'There is /metrics, and /healthz\n');
    else {
      try {
        send(response, 200, await this.#collect());
      } catch (error) {
        send(response, 500, `${(error as Error).message}\n`);
      }
    }
  }

  async #collect(): Promise<string> {
    const { manager, prefix, filter } = this.#options;
    // Containers of a pod share their sandbox: it is asked once.
    const waiting = manager
      .list()
      .filter(({ id, status, state }) => state?.sandboxId === id && (status === 'running' || status === 'paused'))
      .map(({ id }) => id);
    const texts: string[] = [];
    let unreachable = 0;
    const ask = async (): Promise<void> => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
        try {
          texts.push(
            (await manager.metrics(id, { prefix, ...(filter && { filter: filter.source }) }, SANDBOX_MS)).text,
          );
        } catch (error) {
          if (!(error instanceof SandboxError)) throw error;
          unreachable++;
        }
      }
    };
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
    const own = new MetricRegistry();
    own.gauge('sandboxes', 'Sandboxes that run, by whether they told their metrics', () => [
      [{ reached: 'true' }, texts.length],
      [{ reached: 'false' }, unreachable],
    ]);
    return mergeExpositions([own.toText(prefix), ...texts.sort()]);
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': status === 200 ? CONTENT_TYPE : 'text/plain; charset=utf-8' });
  response.end(text);
}
