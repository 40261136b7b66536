export type { Hooks, Linux, Mount, Process, Spec } from './config.generated.js';
export { SPEC_VERSION, defaultConfig } from './default-config.js';
export { ConfigError, parseConfig } from './load-config.js';
