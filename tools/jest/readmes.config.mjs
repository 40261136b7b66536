import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { project } from './project.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const base = project('abi');
const withExamples = readdirSync(`${root}packages`).filter((name) =>
  readFileSync(`${root}packages/${name}/README.md`, 'utf8').includes('\n```ts\n'),
);

/** Runs the examples of the packages' READMEs through the packages' public entry points. */
export default {
  ...base,
  displayName: 'readmes',
  rootDir: `${root}packages`,
  testMatch: withExamples.map((name) => `<rootDir>/${name}/README.md`),
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node', 'md'],
  transform: { ...base.transform, '\\.md$': `${root}tools/jest/readme-transform.cjs` },
};
