import { describeRegisters } from '@tsv/platform/testing';
import { ptrace } from './testing/guest.js';

describeRegisters(ptrace);
