import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The Jest project of one package: sources are compiled by swc to CommonJS, packages resolve to each other's
 * sources through the `@tsv/source` export condition.
 */
export function project(name) {
  return {
    displayName: name,
    rootDir: `${root}packages/${name}`,
    testEnvironment: 'node',
    testEnvironmentOptions: { customExportConditions: ['@tsv/source', 'node', 'node-addons'] },
    testMatch: ['<rootDir>/src/**/*.test.ts'],
    extensionsToTreatAsEsm: [],
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    transform: {
      '^.+\\.ts$': [
        '@swc/jest',
        {
          jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
          module: { type: 'commonjs' },
          sourceMaps: 'inline',
        },
      ],
    },
  };
}
