export { PtracePlatform } from './platform.js';
export { ptracePlatform } from './platform-type.js';
