export { SystrapPlatform } from './platform.js';
export { systrapPlatform } from './platform-type.js';
