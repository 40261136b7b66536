import { defaultConfig } from './default-config.js';
import { ConfigError, parseConfig } from './load-config.js';

const good = () => structuredClone(defaultConfig()) as unknown as Record<string, never>;

describe('parseConfig, runtime-spec "Configuration"', () => {
  it('takes what the spec command writes', () => {
    expect(parseConfig(JSON.stringify(good()), 'config.json')).toEqual(defaultConfig());
  });

  it('keeps properties that it does not know, as "Extensibility" demands', () => {
    const text = JSON.stringify({ ...good(), someExtension: { a: 1 } });
    expect(parseConfig(text, 'config.json')['someExtension']).toEqual({ a: 1 });
  });

  it.each([
    ['no JSON', '{', 'it is not JSON'],
    ['another type', '[]', 'the document: must be object'],
    ['no version', '{}', 'ociVersion: is required'],
    ['a bad version', '{"ociVersion":"one"}', 'ociVersion: "one" is not a version'],
    ['a future version', '{"ociVersion":"2.0.0"}', 'ociVersion: "2.0.0" is not supported; use a version 1.x.y'],
    ['no cwd', '{"ociVersion":"1.0.0","process":{}}', 'process.cwd: is required'],
    [
      'args that are no strings',
      '{"ociVersion":"1.0.0","process":{"cwd":"/","args":["a",1]}}',
      'process.args.1: must be string',
    ],
    [
      'a negative uid',
      '{"ociVersion":"1.0.0","process":{"cwd":"/","user":{"uid":-1}}}',
      'process.user.uid: must be >= 0',
    ],
    [
      'an unknown namespace',
      '{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"x"}]}}',
      'linux.namespaces.0.type: must be equal to one of the allowed values (mount, pid',
    ],
    ['an empty root path', '{"ociVersion":"1.0.0","root":{"path":""}}', 'root.path: must match pattern'],
  ])('names the field: %s', (_, text, message) => {
    expect(() => parseConfig(text, 'bundle/config.json')).toThrow(message);
  });

  it('throws ConfigError with the file', () => {
    expect(() => parseConfig('{', 'bundle/config.json')).toThrow(ConfigError);
    expect(() => parseConfig('{', 'bundle/config.json')).toThrow('"bundle/config.json"');
  });
});
