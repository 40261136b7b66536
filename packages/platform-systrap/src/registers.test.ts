import { describeRegisters } from '@tsv/platform/testing';
import { systrap } from './testing/guest.js';

describeRegisters(systrap);
