'use strict';

module.exports = { program: require('node:path').join(__dirname, 'tsv-gofer') };
