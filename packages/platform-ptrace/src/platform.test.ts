import { describePlatform } from '@tsv/platform/testing';
import { ptrace } from './testing/guest.js';

describePlatform(ptrace);
