// Makes packages/cli/dist/bundle: tsv.cjs is the command line and all that acts on containers from outside, and the other
// scripts what most commands do not load, such as what runs a sandbox, with the kernel; each has its code cache beside it.
// Addons stay beside their packages and are loaded from there.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
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
 * Functions of modules that are not to be loaded before one of them is called, by what imports them. What makes the text of
 * --help makes regular expressions and a segmenter of all of Unicode as soon as it is loaded; TCP streams load all of
 * Node.js's streams.
 */
const LATE_FUNCTIONS = [
  { importer: /\/yargs\//, path: /^(cliui|string-width)$/, name: 'default' },
  { importer: /\/(slirp|port-forward)\.ts$/, path: /^(\.|@tsv\/netstack)\/net(\.js)?$/, name: 'connect' },
  { importer: /\/slirp\.ts$/, path: /^\.\/tcp-stream\.js$/, name: 'streamOf' },
];

const lateFunctions = {
  name: 'late functions',
  setup(context) {
    context.onResolve({ filter: /.*/ }, ({ path, importer, pluginData }) => {
      if (pluginData === 'real') return null;
      const late = LATE_FUNCTIONS.find((module) => module.importer.test(importer) && module.path.test(path));
      return late && { path, namespace: 'late', pluginData: { importer, name: late.name } };
    });
    context.onLoad({ filter: /.*/, namespace: 'late' }, async ({ path, pluginData: { importer, name } }) => {
      const resolveDir = dirname(importer);
      const kind = 'import-statement';
      const { path: real } = await context.resolve(path, { kind, importer, resolveDir, pluginData: 'real' });
      const call = `(...args) => require(${JSON.stringify(real)}).${name}(...args)`;
      return {
        contents: name === 'default' ? `export default ${call};` : `export const ${name} = ${call};`,
        resolveDir,
      };
    });
  },
};

/** Parts of Node.js that most commands never use and that take a millisecond or more to load: see packages/cli/bin/bundle.js. */
const lateBuiltins = {
  name: 'late builtins',
  setup(context) {
    const filter = /^node:(child_process|crypto|dgram|http|net|stream|tls|v8|worker_threads)$/;
    context.onResolve({ filter }, ({ path, kind }) =>
      kind === 'import-statement' ? { path: `late:${path}`, external: true } : null,
    );
  },
};

/** Modules that begin a script of their own, with what only they need, by its name. */
const SCRIPTS = {
  sentry: 'packages/cli/src/sentry.ts',
  'parse-with-yargs': 'packages/cli/src/parse-with-yargs.ts',
  'sandbox-log': 'packages/boot/src/sandbox-log.ts',
  'config-validator': 'packages/oci/src/config-validator.generated.ts',
};

/** Names these scripts where others import the modules: see packages/cli/bin/bundle.js. */
const scripts = {
  name: 'scripts',
  setup(context) {
    context.onResolve({ filter: /^\..*\.js$/ }, ({ path, kind, resolveDir }) => {
      if (kind === 'entry-point') return null;
      const source = relative(root, join(resolveDir, path)).replace(/\.js$/, '.ts');
      const name = Object.keys(SCRIPTS).find((script) => SCRIPTS[script] === source);
      return name === undefined ? null : { path: `late:@tsv/cli/${name}`, external: true };
    });
  },
};

const options = {
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  conditions: ['@tsv/source'],
  define: { 'import.meta.url': 'importMetaUrl' },
  // A script cannot import: it requires.
  supported: { 'dynamic-import': false },
  // What packages/cli/bin/bundle.js calls; a script, because modules of Node.js 20 cannot have a code cache.
  banner: {
    js: '(function (exports, require, module, __filename) { const importMetaUrl = `file://${encodeURI(__filename).replace(/[?#]/g, encodeURIComponent)}`;',
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
for (const [name, entry] of Object.entries({ tsv: 'packages/cli/src/main.ts', ...SCRIPTS })) {
  await build({
    ...options,
    entryPoints: [root + entry],
    outfile: `${outdir}/${name}.cjs`,
    plugins: [addons, lateBuiltins, scripts, lateFunctions],
  });
  nameModulesAlike(`${outdir}/${name}.cjs`);
}
const codeCache = fileURLToPath(new URL('code-cache.mjs', import.meta.url));
for (const step of ['commands', 'container', 'program']) {
  execFileSync(process.execPath, [codeCache, step], { stdio: 'inherit' });
}

/**
 * esbuild makes an object of each module, whose one function has the module's name. V8 keeps a list of all names that empty
 * objects have been given, in order, which takes milliseconds: they get one name, as long as before for the source map.
 */
function nameModulesAlike(file) {
  const text = readFileSync(file, 'latin1');
  const renamed = text.replaceAll(/(?<=\b__(?:esm|commonJS)\(\{)"[^"]{4,}"(?=\()/g, (name) =>
    'init'.padEnd(name.length),
  );
  writeFileSync(file, renamed, 'latin1');
}
