// Makes packages/cli/dist/bundle: tsv.cjs is the command line and all that acts on containers from outside, sentry.cjs what
// runs a sandbox, with the kernel, which most commands do not load; each with its code cache beside it. Addons stay beside
// their packages and are loaded from there.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const outdir = `${root}packages/cli/dist/bundle`;

/**
 * Keeps `../native/index.js` of an addon's package out of the bundle and names it by package. A module between makes that
 * one call of `require`: each importing module would make an object of its own with all of the addon's functions.
 */
const addons = {
  name: 'addons',
  setup(context) {
    context.onResolve({ filter: /\/native\/index\.js$/ }, ({ resolveDir }) => {
      const name = /packages\/([^/]+)\//.exec(`${resolveDir}/`)[1];
      return { path: `@tsv/${name}/native`, namespace: 'addon' };
    });
    context.onLoad({ filter: /.*/, namespace: 'addon' }, ({ path }) => ({
      contents: `export default require(${JSON.stringify(path)});`,
    }));
    context.onResolve({ filter: /^@tsv\/[^/]+\/native$/ }, ({ path }) => ({ path, external: true }));
  },
};

/**
 * Loads what only the text of --help needs when that is asked for: it makes regular expressions and a segmenter of all of
 * Unicode as soon as it is loaded, which takes longer than everything else.
 */
const helpText = {
  name: 'help text',
  setup(context) {
    context.onResolve({ filter: /^(cliui|string-width)$/ }, ({ path, importer, pluginData }) =>
      pluginData === 'real' || !importer.includes('/yargs/') ? null : { path, namespace: 'lazy', pluginData: importer },
    );
    context.onLoad({ filter: /.*/, namespace: 'lazy' }, async ({ path, pluginData }) => {
      const { path: real } = await context.resolve(path, {
        kind: 'import-statement',
        importer: pluginData,
        resolveDir: dirname(pluginData),
        pluginData: 'real',
      });
      const contents = `export default (...args) => require(${JSON.stringify(real)}).default(...args);`;
      return { contents, resolveDir: dirname(pluginData) };
    });
  },
};

/** Parts of Node.js that most commands never use and that take a millisecond or more to load: see packages/cli/bin/bundle.js. */
const lateBuiltins = {
  name: 'late builtins',
  setup(context) {
    const filter = /^node:(child_process|crypto|dgram|http|net|tls|tty|v8|worker_threads)$/;
    context.onResolve({ filter }, ({ path, kind }) =>
      kind === 'import-statement' ? { path: `late:${path}`, external: true } : null,
    );
  },
};

/** The command line asks for the other script by this name. */
const sentry = {
  name: 'sentry',
  setup(context) {
    context.onResolve({ filter: /\/sentry\.js$/ }, ({ importer }) =>
      importer.includes('/cli/src/') ? { path: '@tsv/cli/sentry', external: true } : null,
    );
  },
};

const options = {
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  conditions: ['@tsv/source'],
  define: { 'import.meta.url': 'importMetaUrl' },
  // What packages/cli/bin/bundle.js calls; a script, because modules of Node.js 20 cannot have a code cache.
  banner: {
    js: "(function (exports, require, module, __filename) { const importMetaUrl = require('node:url').pathToFileURL(__filename).href;",
  },
  footer: { js: '})' },
  // An initializer of class fields is a function of its own, several times slower than assignments in the constructor.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  logLevel: 'warning',
};

rmSync(outdir, { recursive: true, force: true });
await build({
  ...options,
  entryPoints: [`${root}packages/cli/src/main.ts`],
  outfile: `${outdir}/tsv.cjs`,
  plugins: [addons, lateBuiltins, sentry, helpText],
});
await build({
  ...options,
  entryPoints: [`${root}packages/cli/src/sentry.ts`],
  outfile: `${outdir}/sentry.cjs`,
  plugins: [addons, lateBuiltins],
});
execFileSync(process.execPath, [fileURLToPath(new URL('code-cache.mjs', import.meta.url))], { stdio: 'inherit' });
