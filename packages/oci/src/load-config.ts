import type { Spec } from './config.generated.js';
import { validate as validateConfig } from './config-validator.generated.js';

/** Major version of the runtime-spec that is understood. */
const SPEC_MAJOR = 1;

/** A config.json that cannot be used: `message` names the file and the field. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

interface SchemaError {
  instancePath: string;
  message?: string;
  keyword: string;
  params: Record<string, unknown>;
}

type Validator = ((data: unknown) => data is Spec) & { errors?: SchemaError[] | null };

/**
 * Reads a config.json, runtime-spec "Configuration". `path` is for messages only.
 * Throws {@link ConfigError} with the path of the bad field.
 */
export function parseConfig(text: string, path: string): Spec {
  const validate = validateConfig as unknown as Validator; // Not before: a bundle of scripts loads it when it is used.
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`Cannot read "${path}": it is not JSON: ${(error as Error).message}`);
  }
  if (!validate(value)) throw new ConfigError(`Cannot use "${path}": ${describe(validate.errors?.[0])}`);
  const version = /^(\d+)\.\d+\.\d+(?:[-+].*)?$/.exec(value.ociVersion);
  if (version === null) {
    throw new ConfigError(`Cannot use "${path}": ociVersion: "${value.ociVersion}" is not a version (SemVer 2.0.0)`);
  }
  if (Number(version[1]) !== SPEC_MAJOR) {
    throw new ConfigError(
      `Cannot use "${path}": ociVersion: "${value.ociVersion}" is not supported; use a version ${SPEC_MAJOR}.x.y`,
    );
  }
  return value;
}

function describe(error: SchemaError | undefined): string {
  if (error === undefined) return 'it does not fit the schema';
  const field = error.instancePath.slice(1).replaceAll('/', '.');
  const missing = error.params['missingProperty'];
  if (typeof missing === 'string') return `${field === '' ? missing : `${field}.${missing}`}: is required`;
  const allowed = error.params['allowedValues'];
  const values = Array.isArray(allowed) ? ` (${allowed.join(', ')})` : '';
  return `${field === '' ? 'the document' : field}: ${error.message ?? error.keyword}${values}`;
}
