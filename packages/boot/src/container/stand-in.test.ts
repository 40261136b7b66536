import { close } from '@tsv/host';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostFdWatcher } from '@tsv/gofer';
import { isAlive } from './host-process.js';
import { startStandIn } from './host-stand-in.js';
import { killProcess, untilEnded } from './kill-process.js';
import { StandIn } from './stand-in.js';

const SIGTERM = 15;
let watcher: HostFdWatcher;
beforeEach(() => {
  watcher = new HostFdWatcher();
});
afterEach(() => {
  watcher.close();
});

describe('StandIn', () => {
  it('passes signals on and ends when it is told', async () => {
    const { process, socketFd } = startStandIn(-1, null);
    const signals: number[] = [];
    const heard = new Promise<void>((resolve) => {
      const signalled = (signo: number): void => {
        signals.push(signo);
        resolve();
      };
      standIn = new StandIn(socketFd, process.pid, watcher, { signalled, killed: () => undefined });
    });
    expect(killProcess(process, 'SIGTERM')).toBe(true);
    await heard;
    expect([signals, isAlive(process)]).toEqual([[SIGTERM], true]);
    standIn!.exit(7);
    expect(await untilEnded(process, 10_000)).toBe(true);
  });

  it('tells of a kill', async () => {
    const { process, socketFd } = startStandIn(-1, null);
    const killed = new Promise<void>((resolve) => {
      standIn = new StandIn(socketFd, process.pid, watcher, { signalled: () => undefined, killed: resolve });
    });
    killProcess(process);
    await killed;
    expect(await untilEnded(process, 10_000)).toBe(true);
  });

  it('ends when nobody holds its socket', async () => {
    const { process, socketFd } = startStandIn(-1, null);
    close(socketFd);
    expect(await untilEnded(process, 10_000)).toBe(true);
  });
});

(process.getuid?.() === 0 ? describe : describe.skip)('a stand-in with a view (as root: it changes its root)', () => {
  it('has the root of the container as its own, and a PID namespace', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tsv-view-'));
    mkdirSync(join(root, 'proc'));
    writeFileSync(join(root, 'marker'), '');
    const { process, socketFd } = startStandIn(-1, { root, hasNetwork: true });
    expect(readdirSync(`/proc/${process.pid}/root`).sort()).toEqual(['marker', 'proc']);
    expect(readdirSync(`/proc/${process.pid}/root/proc`).filter((name) => /^\d+$/.test(name))).toEqual(['1']);
    for (const kind of ['mnt', 'pid', 'net']) {
      expect(readlinkSync(`/proc/${process.pid}/ns/${kind}`)).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
    }
    const heard = new Promise<number>((resolve) => {
      standIn = new StandIn(socketFd, process.pid, watcher, { signalled: resolve, killed: () => undefined });
    });
    killProcess(process, 'SIGTERM');
    expect(await heard).toBe(SIGTERM);
    standIn!.exit(0);
    expect(await untilEnded(process, 10_000)).toBe(true);
    rmSync(root, { recursive: true });
  });
});

let standIn: StandIn | null = null;
