'use strict';
// Loads the command line, which is one script, with the code that V8 made of it when it was built. A cache of another
// version of Node.js is ignored by V8.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

const SCRIPT_PATH = join(__dirname, '../dist/bundle/tsv.cjs');
const CACHE_PATH = join(__dirname, '../dist/bundle/tsv.cache');

function loadBundle() {
  // The script is ASCII: one byte a character.
  const source = readFileSync(SCRIPT_PATH, 'latin1');
  const script = new Script(source, { filename: SCRIPT_PATH, cachedData: readCache() });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(SCRIPT_PATH), module, SCRIPT_PATH);
  return { script, main: module.exports.main };
}

function readCache() {
  try {
    return readFileSync(CACHE_PATH);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

module.exports = { CACHE_PATH, loadBundle };
