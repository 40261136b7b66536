import { close } from '@tsv/host';
import type { Session } from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { SandboxError } from '../sandbox-error.js';
import { writeAll } from './write-all.js';

/** Writes what V8's CPU profiler sees in `durationMs` to `fd` (a .cpuprofile file), and closes it. */
export async function profileCpu(fd: number, durationMs: number): Promise<void> {
  const session = openSession();
  try {
    await post(session, 'Profiler.enable');
    await post(session, 'Profiler.start');
    await sleep(durationMs);
    const { profile } = (await post(session, 'Profiler.stop')) as { profile: unknown };
    writeAll(fd, Buffer.from(JSON.stringify(profile)), 'the profile');
  } finally {
    session.disconnect();
    close(fd);
  }
}

/** Writes a snapshot of V8's heap to `fd` (a .heapsnapshot file), and closes it. Guests wait meanwhile. */
export async function profileHeap(fd: number): Promise<void> {
  const session = openSession();
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => {
    writeAll(fd, Buffer.from(params.chunk), 'the profile');
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
