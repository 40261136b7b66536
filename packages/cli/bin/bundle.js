'use strict';
// Loads the scripts of the command line, each when it is used, with the code that V8 made of it when it was built. A cache of
// another version of Node.js is ignored by V8.
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

const DIRECTORY = join(__dirname, '../dist/bundle');
/** Where the packages that have addons may be, as Node.js looks for them: in this one, or beside it. */
const ADDON_PARENTS = [join(__dirname, '../node_modules/@tsv'), join(__dirname, '../..')];
/** How the scripts name each other, and addons. */
const SCRIPT = /^@tsv\/cli\/([^/]+)$/;
const ADDON = /^@tsv\/([^/]+)\/native$/;
/** How they name what is to be loaded late. */
const LATE = 'late:';
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
  if (id.startsWith(LATE)) return loadedLate(id.slice(LATE.length));
  const script = SCRIPT.exec(id)?.[1];
  if (script !== undefined) return loadScript(script).exports;
  const addon = ADDON.exec(id)?.[1];
  return addon === undefined ? require(id) : loadAddon(id, addon);
}

/** What a package has built. To find a package takes Node.js several times as long as to load its addon. */
function loadAddon(id, name) {
  const directory = ADDON_PARENTS.map((parent) => join(parent, name, 'native')).find(existsSync);
  if (directory === undefined) return require(id);
  const module = { exports: {} };
  try {
    process.dlopen(module, join(directory, `${name}.linux-x64-gnu.node`));
    return module.exports;
  } catch (error) {
    if (error.code !== 'ERR_DLOPEN_FAILED') throw error;
    return require(join(directory, 'index.js')); // It knows what other kinds there are, and tells what is wrong.
  }
}

/** Stands for a script or a part of Node.js, which is loaded when the first of its members is used. */
function loadedLate(id) {
  return new Proxy(
    {},
    {
      get: (_, name) => requireFromScript(id)[name],
      ownKeys: () => Reflect.ownKeys(requireFromScript(id)),
      getOwnPropertyDescriptor: (_, name) => ({
        ...Reflect.getOwnPropertyDescriptor(requireFromScript(id), name),
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
