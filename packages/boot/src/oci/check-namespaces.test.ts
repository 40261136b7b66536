import { defaultConfig, type Spec } from '@tsv/oci';
import { checkNamespacePaths } from './check-namespaces.js';

function config(type: string, path: string): Spec {
  return { ...defaultConfig(), linux: { namespaces: [{ type: type as 'pid', path }] } };
}

describe('checkNamespacePaths, config-linux.md "Namespaces"', () => {
  it.each([
    ['network', '/proc/self/ns/net'],
    ['mount', '/proc/self/ns/mnt'],
    ['pid', '/proc/self/ns/pid'],
    ['ipc', ''],
  ])('takes %s "%s"', (type, path) => {
    expect(() => {
      checkNamespacePaths(config(type, path));
    }).not.toThrow();
  });

  it.each([
    ['pid', '/proc/self/ns/net', 'it is no pid namespace'],
    ['network', '/dev/null', 'it is no namespace'],
    ['ipc', '/no/such/file', 'no such file'],
  ])('refuses %s "%s": %s', (type, path, message) => {
    expect(() => {
      checkNamespacePaths(config(type, path));
    }).toThrow(message);
  });
});
