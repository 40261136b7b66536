export type { LogConfig, NetworkMode, OverlayMode, RuntimeConfig } from './config.js';
export { describeSyscalls } from './describe-syscalls.js';
export { hostFilesConfig, type HostFilesOptions } from './host-files-config.js';
export { PLATFORM_NAMES, describePlatforms } from './platforms.js';
export { runContainer, type RunOptions } from './run-container.js';
export { SandboxError } from './sandbox-error.js';
