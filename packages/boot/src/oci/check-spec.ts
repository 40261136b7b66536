import type { Spec } from '@tsv/oci';
import { isAbsolute } from 'node:path';
import { SandboxError } from '../sandbox-error.js';
import { checkHooks, type HookKind } from './hooks.js';

/** A field that cannot be honoured: the path of it, and why. */
class Refusal extends SandboxError {
  constructor(field: string, reason: string) {
    super(`Cannot use ${field}: ${reason}`);
  }
}

const HOOK_KINDS: readonly HookKind[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
];

/**
 * What the runtime specification demands of a configuration beyond its schema, and what of it this runtime cannot do: a
 * field is honoured or refused, never passed over. Throws {@link SandboxError} with the path of the first such field.
 */
export function checkSpec(spec: Spec): void {
  checkProcess(spec.process);
  checkMounts(spec.mounts);
  checkLinux(spec.linux);
  for (const kind of HOOK_KINDS) checkHooks(kind, spec.hooks?.[kind] ?? []);
  for (const key of Object.keys(spec.annotations ?? {})) {
    if (key === '') throw new Refusal('annotations', 'a key is empty');
  }
}

function checkProcess(process: Spec['process']): void {
  if (process === undefined) return;
  // config.md "Process": "cwd ... This value MUST be an absolute path".
  if (process.cwd !== '' && !isAbsolute(process.cwd)) {
    throw new Refusal('process.cwd', `"${process.cwd}" is not an absolute path`);
  }
  for (const [index, argument] of (process.args ?? []).entries()) {
    if (argument.includes('\0')) throw new Refusal(`process.args.${index}`, 'it has a NUL');
  }
  refuseText('process.apparmorProfile', process.apparmorProfile, ['unconfined']);
  refuseText('process.selinuxLabel', process.selinuxLabel);
  refuseObject('process.ioPriority', process.ioPriority);
  refuseObject('process.scheduler', process.scheduler);
  refuseObject('process.execCPUAffinity', process.execCPUAffinity);
  const adjustment = process.oomScoreAdj;
  if (adjustment !== undefined && (adjustment < OOM_SCORE_ADJ_MIN || adjustment > OOM_SCORE_ADJ_MAX)) {
    throw new Refusal('process.oomScoreAdj', `${adjustment} is not from ${OOM_SCORE_ADJ_MIN} to ${OOM_SCORE_ADJ_MAX}`);
  }
}

/** proc_pid_oom_score_adj(5). */
const OOM_SCORE_ADJ_MIN = -1000;
const OOM_SCORE_ADJ_MAX = 1000;

function checkMounts(mounts: Spec['mounts']): void {
  for (const [index, mount] of (mounts ?? []).entries()) {
    if (mount.destination.includes('\0')) throw new Refusal(`mounts.${index}.destination`, 'it has a NUL');
    refuseList(`mounts.${index}.uidMappings`, mount.uidMappings);
    refuseList(`mounts.${index}.gidMappings`, mount.gidMappings);
  }
}

function checkLinux(linux: Spec['linux']): void {
  if (linux === undefined) return;
  const seen = new Set<string>();
  for (const [index, { type, path }] of (linux.namespaces ?? []).entries()) {
    const field = `linux.namespaces.${index}`;
    // config-linux.md "Namespaces": "If a namespaces field contains duplicated namespaces with same type, the runtime
    // MUST generate an error", and "path ... MUST be an absolute path".
    if (seen.has(type)) throw new Refusal(field, `namespace "${type}" is there twice`);
    if (path !== undefined && path !== '' && !isAbsolute(path)) {
      throw new Refusal(`${field}.path`, `"${path}" is not an absolute path`);
    }
    if (type === 'time') throw new Refusal(field, 'there are no time namespaces');
    seen.add(type);
  }
  for (const name of ['maskedPaths', 'readonlyPaths'] as const) {
    for (const [index, path] of (linux[name] ?? []).entries()) {
      if (!isAbsolute(path)) throw new Refusal(`linux.${name}.${index}`, `"${path}" is not an absolute path`);
    }
  }
  checkDevices(linux.devices);
  refuseText('linux.mountLabel', linux.mountLabel);
  refuseObject('linux.intelRdt', linux.intelRdt);
  refuseObject('linux.timeOffsets', linux.timeOffsets);
  refuseObject('linux.netDevices', linux.netDevices);
  const { domain, flags } = linux.personality ?? {};
  if (domain !== undefined && domain !== 'LINUX') throw new Refusal('linux.personality.domain', `"${domain}"`);
  refuseList('linux.personality.flags', flags);
}

function checkDevices(devices: NonNullable<Spec['linux']>['devices']): void {
  const paths = new Set<string>();
  for (const [index, { path, type, major, minor }] of (devices ?? []).entries()) {
    const field = `linux.devices.${index}`;
    if (!isAbsolute(path)) throw new Refusal(`${field}.path`, `"${path}" is not an absolute path`);
    // config-linux.md "Devices": "The same type, major and minor SHOULD NOT be used for multiple devices"; a path twice
    // cannot be.
    if (paths.has(path)) throw new Refusal(`${field}.path`, `"${path}" is there twice`);
    if (type !== 'p' && (major === undefined || minor === undefined)) {
      throw new Refusal(field, 'it needs a major and a minor number');
    }
    paths.add(path);
  }
}

function refuseText(field: string, value: string | undefined, accepted: readonly string[] = []): void {
  if (value === undefined || value === '' || accepted.includes(value)) return;
  throw new Refusal(field, `"${value}" cannot be had here`);
}

function refuseObject(field: string, value: object | undefined): void {
  if (value !== undefined && Object.keys(value).length > 0) throw new Refusal(field, 'it is not supported');
}

function refuseList(field: string, value: readonly unknown[] | undefined): void {
  if (value !== undefined && value.length > 0) throw new Refusal(field, 'it is not supported');
}
