// A shell command that is shown while it runs, and that does not run for ever.
import { spawn } from 'node:child_process';

/** How long what a command left behind may hold its output open. */
const AFTERMATH_MS = 5_000;

/**
 * Runs a command in bash, in a process group of its own, and shows what it prints. Past `timeoutMs` the group is killed.
 * Resolves with whether the status was 0, and with the output.
 */
export function runBounded(command, { env, timeoutMs }) {
  const child = spawn('bash', ['-o', 'pipefail', '-c', `{ ${command} ; } 2>&1`], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    output += text;
  });
  return new Promise((resolve) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      console.log(`\nKilled: not done after ${timeoutMs / 60_000} minutes`);
      killGroup(child.pid);
    }, timeoutMs);
    child.on('exit', (status) => {
      clearTimeout(timer);
      const done = () => resolve({ ok: status === 0 && !isLate, output });
      const aftermath = setTimeout(() => {
        console.log('\nKilled: what it left behind holds its output open');
        killGroup(child.pid);
        child.stdout.destroy();
        done();
      }, AFTERMATH_MS);
      child.on('close', () => {
        clearTimeout(aftermath);
        done();
      });
    });
  });
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
