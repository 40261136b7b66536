import type { Spec } from '@tsv/oci';

/** Annotations by which container engines say that a container belongs to a pod: kind, and the pod's first container. */
const CONVENTIONS = [
  ['io.kubernetes.cri.container-type', 'io.kubernetes.cri.sandbox-id'],
  ['io.kubernetes.cri-o.ContainerType', 'io.kubernetes.cri-o.SandboxID'],
] as const;

/** ID of the container in whose sandbox this one is to run; null when it gets one of its own. */
export function podSandboxId(spec: Spec): string | null {
  for (const [kind, sandbox] of CONVENTIONS) {
    if (spec.annotations?.[kind] === 'container') return spec.annotations[sandbox] ?? null;
  }
  return null;
}
