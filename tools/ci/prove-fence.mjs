// Proves that the layers are fenced: a file of vfs that imports the kernel must not pass lint. Without Nx's cached project
// graph the rule skips itself and passes, so the graph is made first.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const probe = `${root}packages/vfs/src/fence-probe.ts`;
const RULE = '@nx/enforce-module-boundaries';

run('npx', ['nx', 'graph', '--file', '/dev/null', '--print'], 'ignore');
writeFileSync(probe, "import { Kernel } from '@tsv/kernel';\nexport const probe = Kernel;\n");
try {
  const { stdout } = run('npx', ['eslint', '--format', 'json', probe], 'pipe');
  const rules = JSON.parse(stdout)[0].messages.map((message) => message.ruleId);
  if (!rules.includes(RULE))
    throw new Error(`Cannot trust the fence: lint let an import of the kernel into vfs pass (${rules})`);
  console.log('The fence holds');
} finally {
  rmSync(probe, { force: true });
}

function run(command, args, stdout) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'], encoding: 'utf8' });
}
