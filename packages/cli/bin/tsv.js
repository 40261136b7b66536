#!/usr/bin/env node
'use strict';
const { loadScript } = require('./bundle.js');

loadScript('tsv')
  .exports.main(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status;
    // Once nothing is left to do and to write, there is no need to take V8's heap apart.
    process.on('exit', () => process.exit());
  });
