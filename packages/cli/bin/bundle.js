'use strict';
// Loads the command line, which is a script, and what runs a sandbox, which is another, each with the code that V8 made of
// it when it was built. A cache of another version of Node.js is ignored by V8.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

const DIRECTORY = join(__dirname, '../dist/bundle');
/** What the command line asks for when it runs a sandbox. */
const SENTRY = '@tsv/cli/sentry';
/** How the scripts name parts of Node.js that are to be loaded late. */
const LATE = 'late:';
const requireAddon = createRequire(join(DIRECTORY, 'tsv.cjs'));
const loaded = new Map();

/** A script of the bundle by its name: what it exports, and itself. */
function loadScript(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const path = join(DIRECTORY, `${name}.cjs`);
  // The script is ASCII: one byte a character.
  const source = readFileSync(path, 'latin1');
  const script = new Script(source, { filename: path, cachedData: readCache(name) });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireFromScript, module, path);
  const entry = { script, exports: module.exports };
  loaded.set(name, entry);
  return entry;
}

function requireFromScript(id) {
  if (id === SENTRY) return loadScript('sentry').exports;
  return id.startsWith(LATE) ? loadedLate(id.slice(LATE.length)) : requireAddon(id);
}

/** Stands for a part of Node.js, which is loaded when the first of its members is used. */
function loadedLate(id) {
  return new Proxy(
    {},
    {
      get: (_, name) => requireAddon(id)[name],
      ownKeys: () => Reflect.ownKeys(requireAddon(id)),
      getOwnPropertyDescriptor: (_, name) => ({
        ...Reflect.getOwnPropertyDescriptor(requireAddon(id), name),
        configurable: true,
      }),
    },
  );
}

function cachePath(name) {
  return join(DIRECTORY, `${name}.cache`);
}

function readCache(name) {
  try {
    return readFileSync(cachePath(name));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

module.exports = { cachePath, loadScript };
