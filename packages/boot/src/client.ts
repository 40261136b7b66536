// What acts on containers from outside their sandboxes: nothing of a kernel is loaded for it.
export type { LogConfig, NetworkMode, OverlayMedium, OverlayMode, RuntimeConfig } from './config.js';
export type { Resources } from './cgroup/resource-files.js';
export { writePidFile, type CreateOptions } from './container/container-creator.js';
export { ContainerManager } from './container/container-manager.js';
export { containerStatus, ociState, type ContainerState, type ContainerStatus } from './container/container-state.js';
export type { DeliveryMode } from './container/delivery-mode.js';
export type { ExecOptions } from './container/execute-in-container.js';
export type { SandboxLaunch } from './container/launch-sentry.js';
export type { PassedFd } from './container/process-starter.js';
export { serveLateHooks } from './container/late-hooks.js';
export type { Volume } from './host-files-config.js';
export { PortForwarder } from './container/port-forwarder.js';
export type { ListedContainer } from './container/state-store.js';
export { mountOptionNames } from './oci/mount-options.js';
export { SECCOMP_FEATURES } from './oci/seccomp/seccomp-words.js';
export { parseListenAddress } from './metrics/listen-address.js';
export { MetricServer } from './metrics/metric-server.js';
export { SandboxError } from './sandbox-error.js';
