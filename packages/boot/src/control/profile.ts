import { close, write } from '@tsv/host';
import { errnoText } from '@tsv/abi';
import type { Session } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { SandboxError } from '../sandbox-error.js';

/** Writes what V8's CPU profiler sees in `durationMs` to `fd` (a .cpuprofile file), and closes it. */
export async function profileCpu(fd: number, durationMs: number): Promise<void> {
  const session = openSession();
  try {
    await post(session, 'Profiler.enable');
    await post(session, 'Profiler.start');
    await sleep(durationMs);
    const { profile } = (await post(session, 'Profiler.stop')) as { profile: unknown };
    writeAll(fd, JSON.stringify(profile));
  } finally {
    session.disconnect();
    close(fd);
  }
}

/** Writes a snapshot of V8's heap to `fd` (a .heapsnapshot file), and closes it. Guests wait meanwhile. */
export async function profileHeap(fd: number): Promise<void> {
  const session = openSession();
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => {
    writeAll(fd, params.chunk);
  });
  try {
    await post(session, 'HeapProfiler.takeHeapSnapshot');
  } finally {
    session.disconnect();
    close(fd);
  }
}

/** Loaded when it is first wanted: it is not small. The bundled command line cannot import while it runs. */
function openSession(): Session {
  const session = new (process.getBuiltinModule('node:inspector').Session)();
  session.connect();
  return session;
}

function post(session: Session, method: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, (error: Error | null, result?: object) => {
      if (error === null) resolve(result);
      else reject(new SandboxError(`Cannot profile: ${error.message}`));
    });
  });
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    const n = write(fd, bytes, at, bytes.length - at);
    if (n < 0) throw new SandboxError(`Cannot write the profile: ${errnoText(-n)}`);
    at += n;
  }
}
