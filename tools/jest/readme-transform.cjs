// Turns a README into a test: each `ts` block becomes one that passes when it runs through; `expect` is there to assert.
'use strict';
const swc = require('@swc/core');

module.exports = {
  process(text, path) {
    const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
    const name = /packages\/([^/]+)\//.exec(path)[1];
    const tests = blocks.map((block, index) => {
      const { code } = swc.transformSync(block, {
        filename: `${path}.${index}.ts`,
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
      });
      return `  it('example ${index + 1}', async () => {\n    const exports = {};\n${code}\n  });\n`;
    });
    return { code: `describe('README of @tsv/${name}', () => {\n${tests.join('\n')}});\n` };
  },
};
