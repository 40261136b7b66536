import { describeLifetimes } from '@tsv/platform/testing';
import { systrap } from './testing/guest.js';

describeLifetimes(systrap);
