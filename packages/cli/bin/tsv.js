#!/usr/bin/env node
'use strict';
const { loadBundle } = require('./bundle.js');

loadBundle()
  .main(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status;
  });
