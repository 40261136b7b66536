/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** One Jest project a package; each package's own `jest.config.mjs` says the same to a run in its folder. */
const config: Config = {
  projects: ['<rootDir>/packages/*/jest.config.mjs', '<rootDir>/tools/jest/*.config.mjs'],
};

export default config;
