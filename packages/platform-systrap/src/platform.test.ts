import { describePlatform } from '@tsv/platform/testing';
import { systrap } from './testing/guest.js';

describePlatform(systrap);
