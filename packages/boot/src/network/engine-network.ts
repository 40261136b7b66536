import { readlinkSync } from 'node:fs';
import type { Spec } from '@tsv/oci';

/**
 * The configuration of a container that an engine made, with the network namespace that it is to join: a new one is that of
 * the host's process that stands for the container, where the engine has put what the container is to have. Null when the
 * container asks for a new one and the host did not make it: it has no network then.
 */
export function withEngineNetwork(spec: Spec, hostPid: number): Spec | null {
  const namespaces = spec.linux?.namespaces ?? [];
  const entry = namespaces.find(({ type }) => type === 'network');
  if (entry === undefined || (entry.path ?? '') !== '') return spec;
  const path = `/proc/${hostPid}/ns/net`;
  if (readlinkSync(path) === readlinkSync('/proc/self/ns/net')) return null;
  return {
    ...spec,
    linux: { ...spec.linux, namespaces: namespaces.map((other) => (other === entry ? { ...entry, path } : other)) },
  };
}
