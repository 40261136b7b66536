import type { Process } from '@tsv/oci';
import * as v from 'valibot';
import type { OciState } from '../oci/hooks.js';
import { isAlive } from './host-process.js';

/** Version of the form below; another one is refused. */
export const STATE_VERSION = 1;

const hostProcess = v.object({ pid: v.pipe(v.number(), v.integer()), startTicks: v.number() });
const hook = v.looseObject({
  path: v.string(),
  args: v.exactOptional(v.array(v.string())),
  env: v.exactOptional(v.array(v.string())),
  timeout: v.exactOptional(v.number()),
});

/** What is kept of a container between two commands. */
export const containerStateSchema = v.object({
  version: v.literal(STATE_VERSION),
  id: v.string(),
  ociVersion: v.string(),
  /** Absolute path of the bundle. */
  bundle: v.string(),
  rootfs: v.string(),
  annotations: v.record(v.string(), v.string()),
  /** RFC 3339. */
  created: v.string(),
  owner: v.string(),
  /** What the last command left it in; whether it has ended since only its process tells. */
  phase: v.picklist(['creating', 'created', 'running', 'paused']),
  /** The container whose sandbox it runs in: itself, or the first of its pod. */
  sandboxId: v.string(),
  /** The host's process that lives as long as the container; null before there is one. */
  process: v.nullable(hostProcess),
  /** The sentry. */
  sentry: v.nullable(hostProcess),
  /** Path of the host's cgroup, where it has one of its own. */
  cgroupPath: v.nullable(v.string()),
  /** Directories of the host in which what it writes to overlays lies. */
  fileStores: v.exactOptional(v.array(v.string())),
  hooks: v.object({ poststart: v.array(hook), poststop: v.array(hook) }),
  /** The first process as config.json had it: what `exec` runs is like it. */
  init: v.exactOptional(v.custom<Process>((value) => typeof value === 'object' && value !== null)),
});
export type ContainerState = v.InferOutput<typeof containerStateSchema>;

/** runtime.md "State", and `paused` as runc has it. */
export type ContainerStatus = OciState['status'];

/** What the container does now. */
export function containerStatus(state: ContainerState): ContainerStatus {
  return state.process !== null && isAlive(state.process) ? state.phase : 'stopped';
}

/** The state of a container for hooks; `status` overrides what the process tells. */
export function ociState(state: ContainerState, status: ContainerStatus = containerStatus(state)): OciState {
  return {
    ociVersion: state.ociVersion,
    id: state.id,
    status,
    ...(status !== 'stopped' && state.process !== null && { pid: state.process.pid }),
    bundle: state.bundle,
    annotations: state.annotations,
  };
}
