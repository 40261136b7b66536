// Runs every check, shows its output, and ends with `N passed, N failed`: tests count one each, other steps as one.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const scratch = mkdtempSync(join(tmpdir(), 'tsv-gate-'));
const jestReport = join(scratch, 'jest.json');
let passed = 0;
let failed = 0;

try {
  await step('README: npm ci && npm test', 'npm ci && npm test -- --json --outputFile="$REPORT"', () => {
    const report = JSON.parse(readFileSync(jestReport, 'utf8'));
    const suitesThatDidNotRun = report.testResults.filter((suite) => suite.assertionResults.length === 0).length;
    return { passed: report.numPassedTests, failed: report.numFailedTests + suitesThatDidNotRun };
  });
  await step('README: run', 'npx @tsv/cli run -- sh -c "echo it runs" | grep -qx "it runs"');
  await step('format', 'npm run --silent format:check');
  await step('lint', 'npm run --silent lint');
  await step('fence', 'node tools/ci/prove-fence.mjs');
  await step('messages', 'node tools/ci/prove-messages.mjs', countOfLastLine);
  await step('types', 'npx tsc -b');
  await step('rust', 'npm run --silent rust:check', (output) => ({
    passed: sum(output, /test result: ok\. (\d+) passed/g),
    failed: sum(output, /(\d+) failed/g),
  }));
  await step('generated files', 'npm run --silent generated:check');
  await step('packages', 'npm run --silent pack:check');
  await step('compat', 'npm run --silent compat', countOfLastLine);
  await step('engines', 'node tools/engines/run.mjs', countOfLastLine);
  await step('faults', 'node tools/faults/run.mjs --seed 7', countOfLastLine);
  await step('netstack and Linux', 'node tools/suites/netstack/run.mjs', countOfLastLine);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** Runs a shell command and shows what it prints; `count` reads the numbers out of its output. */
async function step(name, command, count = null) {
  console.log(`\n== ${name}`);
  const startMs = Date.now();
  const child = spawn('bash', ['-o', 'pipefail', '-c', `{ ${command} ; } 2>&1`], {
    env: { ...process.env, REPORT: jestReport, CI: 'true', NX_DAEMON: 'false' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    output += text;
  });
  const ok = await new Promise((resolve) => child.on('close', (status) => resolve(status === 0)));
  let counts = { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
  if (count !== null) {
    try {
      counts = count(output);
    } catch (error) {
      console.log(`Cannot count the tests of "${name}": ${error.message}`);
    }
    if (!ok && counts.failed === 0) counts.failed = 1;
  }
  passed += counts.passed;
  failed += counts.failed;
  console.log(
    `== ${name}: ${counts.passed} passed, ${counts.failed} failed (${Math.round((Date.now() - startMs) / 1000)} s)`,
  );
}

function countOfLastLine(output) {
  return {
    passed: sum(output, /^(\d+) passed, \d+ failed$/gm),
    failed: sum(output, /^\d+ passed, (\d+) failed$/gm),
  };
}

function sum(text, pattern) {
  let total = 0;
  for (const match of text.matchAll(pattern)) total += Number(match[1]);
  return total;
}
