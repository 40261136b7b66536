#!/usr/bin/env node
'use strict';
const { loadScript } = require('./bundle.js');

loadScript('tsv')
  .exports.main(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status;
  });
