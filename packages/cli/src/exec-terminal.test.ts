import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { PtySession } from './testing/pty-session.js';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

/** Tells on its terminal of each signal that comes to it. */
const JOB = `#!/bin/sh
trap "echo $1-int; exit 5" INT
trap "echo $1-term; exit 6" TERM
trap "echo > /tmp/$1-hup; exit 7" HUP
trap "echo $1-size \\$(stty size)" WINCH
echo $1-ready
while :; do sleep 0.1; done
`;

let dir: string;
let root: string;
let other: PtySession;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-exec-'));
  root = join(dir, 'root');
  mkdirSync(join(dir, 'bundle'));
  const init =
    'for s in INT QUIT TSTP TERM WINCH HUP; do trap "echo $s >> /tmp/init" $s; done; while :; do sleep 0.1; done';
  const bundle = busyboxBundle(join(dir, 'bundle'), ['sh', '-c', init]);
  writeFileSync(join(bundle, 'rootfs/bin/job'), JOB);
  chmodSync(join(bundle, 'rootfs/bin/job'), 0o755);
  // Its output is nobody's: the container keeps it open.
  const run = spawn(process.execPath, [TSV, '--root', root, 'run', '-d', '--bundle', bundle, 'a'], {
    stdio: 'ignore',
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  expect(await new Promise((resolve) => run.once('exit', resolve))).toBe(0);
  other = execute('job', 'other');
  await other.until('other-ready');
});
afterEach(async () => {
  try {
    // Whatever came to the terminal under test, neither another terminal nor the first process has heard of it.
    expect(other.output).toBe('other-ready\n');
    expect(existsSync(inside('init'))).toBe(false);
    expect(existsSync(inside('other-hup'))).toBe(false);
  } finally {
    await runTsv(['--root', root, 'delete', '--force', 'a']);
    await other.status;
    rmSync(dir, { recursive: true, force: true });
  }
});

const inside = (name: string): string => join(dir, 'bundle/rootfs/tmp', name);

async function untilExists(path: string): Promise<void> {
  for (let i = 0; i < 1000 && !existsSync(path); i++) await sleep(20);
  expect(existsSync(path)).toBe(true);
}

function execute(...argv: readonly string[]): PtySession {
  const options = ['exec', '-t', '--pid-file', join(dir, 'pid')];
  return new PtySession([process.execPath, TSV, '--root', root, ...options, 'a', ...argv]);
}

/** A shell with a job in the background, and one in the foreground. */
async function shellWithJobs(): Promise<PtySession> {
  const session = execute('sh');
  await session.until('# ');
  session.type('job back &\n');
  await session.until('back-ready');
  session.type('job front\n');
  await session.until('front-ready');
  return session;
}

/** Ends the shell, and what it has in the background. */
async function leave(session: PtySession): Promise<void> {
  session.type('kill %1; wait; exit 9\n');
  expect(await session.status).toBe(9);
}

describe('the terminal of tsv exec -t', () => {
  it('turns ^C into SIGINT for its foreground', async () => {
    const session = await shellWithJobs();
    session.type('\x03');
    await session.until('front-int');
    session.type('echo status $?\n');
    await session.until('status 5');
    expect(session.output).not.toContain('back-int');
    await leave(session);
  });

  it('turns ^Z into SIGTSTP for its foreground, which fg(1) continues', async () => {
    const session = await shellWithJobs();
    session.type('\x1a');
    await session.until('Stopped');
    session.type('jobs\n');
    await session.until('Running');
    session.type('fg %2\n');
    await session.until('job front\r\n');
    session.type('\x03');
    await session.until('front-int');
    await leave(session);
  });

  it('tells its foreground that its size has changed', async () => {
    const session = await shellWithJobs();
    session.resize(41, 132);
    await session.until('front-size 41 132');
    session.type('\x03');
    await session.until('front-int');
    await leave(session);
    expect(session.output).not.toContain('back-size');
  });

  it('gives its foreground the signals that are sent to the command', async () => {
    const session = await shellWithJobs();
    process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 'SIGTERM');
    await session.until('front-term');
    session.type('echo status $?\n');
    await session.until('status 6');
    await leave(session);
    expect(session.output.match(/-term/g)).toEqual(['-term', '-term']); // The second is by "kill %1".
  });
});

describe('the terminal of tsv exec -t, when it is hung up, vhangup(2)', () => {
  it('tells its session leader, whose command ends', async () => {
    const session = execute('sh', '-c', 'job leader');
    await session.until('leader-ready');
    session.hangUp();
    expect(await session.status).toBe(7);
    expect(existsSync(inside('leader-hup'))).toBe(true);
  });

  it('tells a shell and its foreground, and the shell ends', async () => {
    const session = await shellWithJobs();
    session.hangUp();
    expect(await session.status).toBe(129);
    await untilExists(inside('front-hup'));
  });

  it('is read to its end by who does not care', async () => {
    const session = execute('sh', '-c', 'trap "" HUP; echo reader-ready; cat; echo $? > /tmp/read; exit 3');
    await session.until('reader-ready');
    session.hangUp();
    expect(await session.status).toBe(3);
    expect(readFileSync(inside('read'), 'utf8')).toBe('0\n');
  });
});
