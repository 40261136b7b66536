#!/usr/bin/env node
import { main } from '../dist/tsv.mjs';

process.exitCode = await main(process.argv.slice(2));
