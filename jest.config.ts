/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** A test may take long on a machine that does other things too: the timeout is for what hangs. One Jest project a package; each package's own `jest.config.mjs` says the same to a run in its folder. */
const config: Config = {
  testTimeout: 60_000,
  projects: ['<rootDir>/packages/*/jest.config.mjs', '<rootDir>/tools/jest/*.config.mjs'],
};

export default config;
