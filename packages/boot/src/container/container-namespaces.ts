import { IpcNamespace, NetNamespace, PidNamespace, UtsNamespace, type Kernel, type NsProxy } from '@tsv/kernel';
import type { Spec } from '@tsv/oci';
import { toByteString } from '../byte-string.js';

/** A container of the sandbox that a new one may share namespaces with. */
export interface NamespaceOwner {
  readonly ns: NsProxy;
  /** The path by which its configuration joins a PID namespace; null without one. */
  readonly pidNsPath: string | null;
  /** The host's process that stands for it; 0 when it is not known. */
  readonly hostPid: number;
}

/** The path of the PID namespace that `spec` joins, or null. */
export function pidNamespacePath(spec: Spec): string | null {
  return namespaceOf(spec, 'pid')?.path ?? null;
}

/**
 * The namespaces of another container of a sandbox, config-linux.md "Namespaces": one that is not named is shared with
 * the first container, one that is named without a path is new. A path means the namespace of the container that gives
 * the same path, or whose host process the path names; for other paths of a PID namespace a new one is made, for the
 * others it is the first container's, since a path leads to the host's pod.
 */
export function childNamespaces(kernel: Kernel, spec: Spec, others: readonly NamespaceOwner[]): NsProxy {
  const { userNs } = kernel;
  const isNew = (type: string): boolean => {
    const entry = namespaceOf(spec, type);
    return entry !== undefined && (entry.path ?? '') === '';
  };
  return {
    uts: isNew('uts') ? new UtsNamespace(userNs, toByteString(spec.hostname ?? 'tsv')) : kernel.ns.uts,
    ipc: isNew('ipc') ? new IpcNamespace(userNs) : kernel.ns.ipc,
    net: isNew('network') ? new NetNamespace(userNs) : kernel.ns.net,
    cgroup: kernel.ns.cgroup,
    pidForChildren: pidNamespace(kernel, spec, others),
  };
}

function pidNamespace(kernel: Kernel, spec: Spec, others: readonly NamespaceOwner[]): PidNamespace {
  const entry = namespaceOf(spec, 'pid');
  if (entry === undefined) return kernel.pidNs;
  const path = entry.path ?? '';
  const owner = others.find(({ pidNsPath, hostPid }) => {
    return path !== '' && (pidNsPath === path || path === `/proc/${hostPid}/ns/pid`);
  });
  return owner === undefined ? new PidNamespace(kernel.pidNs, kernel.userNs) : owner.ns.pidForChildren;
}

function namespaceOf(spec: Spec, type: string): { type: string; path?: string } | undefined {
  return spec.linux?.namespaces?.find((entry) => entry.type === type);
}
