// Makes packages/cli/dist/tsv.mjs: the command line and everything it needs in one file, for a short start-up. Addons
// stay beside their packages and are loaded from there.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Keeps `../native/index.js` of an addon's package out of the bundle and names it by package. */
const addons = {
  name: 'addons',
  setup(context) {
    context.onResolve({ filter: /\/native\/index\.js$/ }, ({ resolveDir }) => {
      const name = /packages\/([^/]+)\//.exec(`${resolveDir}/`)[1];
      return { path: `@tsv/${name}/native`, external: true };
    });
  },
};

await build({
  entryPoints: [`${root}packages/cli/src/main.ts`],
  outdir: `${root}packages/cli/dist/bundle`,
  entryNames: 'tsv',
  chunkNames: 'chunk-[hash]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@tsv/source'],
  plugins: [addons],
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'linked',
  logLevel: 'warning',
});
