import type { Mount, Spec } from '@tsv/oci';
import { SandboxError } from '../sandbox-error.js';

/** What an annotation says of a volume: `dev.tsv.spec.mount.NAME.{source,type,share,options}`, and gVisor's names too. */
export interface MountHint {
  readonly name: string;
  /** The source of the mounts that it is about. */
  readonly source: string;
  readonly type: 'tmpfs' | 'bind';
  /** Who uses it: one container, all containers of the pod, or others on the host too. */
  readonly share: 'container' | 'pod' | 'shared';
  readonly options: readonly string[];
}

const ANNOTATION = /^dev\.(?:tsv|gvisor)\.spec\.mount\.([^.]+)\.(source|type|share|options)$/;
const TYPES = ['tmpfs', 'bind'] as const;
const SHARES = ['container', 'pod', 'shared'] as const;

/** The hints among the annotations of a pod's first container, by source. Throws {@link SandboxError} for a bad one. */
export function parseMountHints(annotations: Spec['annotations']): Map<string, MountHint> {
  const fields = new Map<string, Record<string, string>>();
  for (const [key, value] of Object.entries(annotations ?? {})) {
    const [, name, field] = ANNOTATION.exec(key) ?? [];
    if (name === undefined || field === undefined) continue;
    const known = fields.get(name) ?? {};
    known[field] = value;
    fields.set(name, known);
  }
  const hints = new Map<string, MountHint>();
  for (const [name, { source, type, share, options }] of fields) {
    const where = `annotations "dev.tsv.spec.mount.${name}`;
    if (source === undefined || source === '') throw new SandboxError(`Cannot use ${where}.source": it is missing`);
    if (hints.has(source)) throw new SandboxError(`Cannot use ${where}.source": two volumes have "${source}"`);
    hints.set(source, {
      name,
      source,
      type: oneOf(TYPES, type, `${where}.type"`),
      share: oneOf(SHARES, share, `${where}.share"`),
      options: options === undefined || options === '' ? [] : options.split(','),
    });
  }
  return hints;
}

/**
 * Whether a bind mount is a volume in the sandbox's memory, as nobody outside the pod uses it: its files never reach the
 * host.
 */
export function isVolumeInMemory(mount: Mount, hint: MountHint | undefined): hint is MountHint {
  return hint !== undefined && hint.type === 'tmpfs' && hint.share !== 'shared' && mount.source === hint.source;
}

function oneOf<Word extends string>(words: readonly Word[], value: string | undefined, where: string): Word {
  const word = words.find((known) => known === value);
  if (word !== undefined) return word;
  throw new SandboxError(`Cannot use ${where}: "${value ?? ''}" is none of ${words.join(', ')}`);
}
