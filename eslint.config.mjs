import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** Lowest first: a package imports from its own row's layers and from nothing else. */
const LAYERS = {
  abi: [],
  base: ['abi', 'base'],
  subsystem: ['abi', 'base'],
  native: ['abi', 'base'],
  kernel: ['abi', 'base', 'subsystem'],
  server: ['abi', 'base', 'subsystem', 'native'],
  boot: ['abi', 'base', 'subsystem', 'native', 'server', 'kernel'],
  app: ['abi', 'base', 'boot'],
};

/** Time, randomness and the host come in as arguments here. */
const PURE = ['abi', 'waiter', 'clock', 'platform', 'vfs', 'netstack', 'kernel'];

export default [
  { ignores: ['**/dist/**', '**/*.generated.ts', '**/native/**', '**/node_modules/**', 'target/**'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['packages/**/*.ts'] })),
  {
    files: ['packages/**/*.ts'],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: [],
          banTransitiveDependencies: true,
          depConstraints: Object.entries(LAYERS).map(([layer, may]) => ({
            sourceTag: `layer:${layer}`,
            onlyDependOnLibsWithTags: may.map((name) => `layer:${name}`),
          })),
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: ':matches(ReturnStatement, ConditionalExpression) > Identifier[name=/^E(?!POLL)[A-Z0-9]{2,}$/]',
          message: 'Errors are returned negated: return -EINVAL',
        },
        {
          selector: 'FunctionDeclaration[async=true][id.name=/^sys[A-Z]/]',
          message: 'A handler never awaits: return t.waitOn(...); it runs again when woken',
        },
        {
          selector: ':matches(Literal[bigint], MemberExpression[property.name=/^[gs]etBig/])',
          message: 'No BigInt: loadI64, or two halves',
        },
        {
          selector: 'MethodDefinition[kind="get"] > PrivateIdentifier.key',
          message: 'No private getter: V8 calls its runtime for each read, even of hot code; make it a method',
        },
      ],
      'max-lines': ['error', { max: 600, skipBlankLines: true, skipComments: true }],
      // Indexing is checked by the compiler (noUncheckedIndexedAccess); hot paths say `!` where the index was checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Numbers in messages are clear as they are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // Defaults of overridable operations name the parameters that they do not use.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // `0 | Errno` says what a function returns, though both are numbers.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      // ABI constants are compared as numbers.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true, ignoreVoidReturningFunctions: true },
      ],
    },
  },
  {
    files: PURE.map((name) => `packages/${name}/src/**/*.ts`),
    ignores: ['**/*.test.ts', '**/testing/**', 'packages/netstack/src/slirp/**', 'packages/netstack/src/node/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group: ['node:*'], message: 'It comes in as an argument' }] }],
      'no-restricted-globals': ['error', 'Date', 'setTimeout', 'setInterval', 'setImmediate', 'process', 'Buffer'],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Randomness comes in' }],
    },
  },
  {
    files: ['packages/**/*.test.ts', 'packages/**/testing/**/*.ts'],
    rules: {
      'no-restricted-syntax': 'off',
      'max-lines': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
  prettier,
];
