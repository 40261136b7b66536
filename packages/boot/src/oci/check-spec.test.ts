import { defaultConfig, type Spec } from '@tsv/oci';
import { checkSpec } from './check-spec.js';

/** The default configuration with some fields of `process`, `linux` or the top replaced. */
function config(change: { process?: object; linux?: object; [field: string]: unknown }): Spec {
  const base = defaultConfig();
  const { process, linux, ...rest } = change;
  return { ...base, ...rest, process: { ...base.process!, ...process }, linux: { ...base.linux, ...linux } };
}

describe('checkSpec', () => {
  it('takes the default configuration, and what engines write for nothing', () => {
    expect(() => {
      checkSpec(defaultConfig());
      checkSpec(
        config({
          process: { apparmorProfile: '', selinuxLabel: '', oomScoreAdj: 0 },
          linux: { mountLabel: '', personality: { domain: 'LINUX' }, timeOffsets: {}, intelRdt: {} },
          hooks: {},
          annotations: {},
        }),
      );
    }).not.toThrow();
  });

  it.each`
    section                                   | change                                                                                        | field
    ${'config.md "Process": cwd'}             | ${{ process: { cwd: 'tmp' } }}                                                                | ${'process.cwd'}
    ${'config.md "Process": args'}            | ${{ process: { args: ['a', 'b\0'] } }}                                                        | ${'process.args.1'}
    ${'config.md "Linux Process": apparmor'}  | ${{ process: { apparmorProfile: 'docker-default' } }}                                         | ${'process.apparmorProfile'}
    ${'config.md "Linux Process": selinux'}   | ${{ process: { selinuxLabel: 'u:r:t' } }}                                                     | ${'process.selinuxLabel'}
    ${'config.md "Linux Process": oom'}       | ${{ process: { oomScoreAdj: 1001 } }}                                                         | ${'process.oomScoreAdj'}
    ${'config.md "Linux Process": io'}        | ${{ process: { ioPriority: { class: 'IOPRIO_CLASS_RT' } } }}                                  | ${'process.ioPriority'}
    ${'config.md "Linux Process": scheduler'} | ${{ process: { scheduler: { policy: 'SCHED_FIFO' } } }}                                       | ${'process.scheduler'}
    ${'config.md "Mounts": mappings'}         | ${{ mounts: [{ destination: '/a', uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] }] }} | ${'mounts.0.uidMappings'}
    ${'config.md "Hooks": path'}              | ${{ hooks: { poststop: [{ path: 'x' }] } }}                                                   | ${'hooks.poststop.0.path'}
    ${'config.md "Annotations"'}              | ${{ annotations: { '': 'x' } }}                                                               | ${'annotations'}
    ${'config-linux.md "Namespaces": twice'}  | ${{ linux: { namespaces: [{ type: 'pid' }, { type: 'pid' }] } }}                              | ${'linux.namespaces.1'}
    ${'config-linux.md "Namespaces": path'}   | ${{ linux: { namespaces: [{ type: 'network', path: 'net' }] } }}                              | ${'linux.namespaces.0.path'}
    ${'config-linux.md "Namespaces": time'}   | ${{ linux: { namespaces: [{ type: 'time' }] } }}                                              | ${'linux.namespaces.0'}
    ${'config-linux.md "Devices": path'}      | ${{ linux: { devices: [{ path: 'dev/x', type: 'c', major: 1, minor: 3 }] } }}                 | ${'linux.devices.0.path'}
    ${'config-linux.md "Devices": numbers'}   | ${{ linux: { devices: [{ path: '/dev/x', type: 'c' }] } }}                                    | ${'linux.devices.0'}
    ${'config-linux.md "Masked Paths"'}       | ${{ linux: { maskedPaths: ['proc/kcore'] } }}                                                 | ${'linux.maskedPaths.0'}
    ${'config-linux.md "Readonly Paths"'}     | ${{ linux: { readonlyPaths: ['proc/sys'] } }}                                                 | ${'linux.readonlyPaths.0'}
    ${'config-linux.md "Mount Label"'}        | ${{ linux: { mountLabel: 'system_u' } }}                                                      | ${'linux.mountLabel'}
    ${'config-linux.md "Personality"'}        | ${{ linux: { personality: { domain: 'LINUX32' } } }}                                          | ${'linux.personality.domain'}
    ${'config-linux.md "IntelRdt"'}           | ${{ linux: { intelRdt: { closID: 'x' } } }}                                                   | ${'linux.intelRdt'}
    ${'config-linux.md "Time offsets"'}       | ${{ linux: { timeOffsets: { monotonic: { secs: 1 } } } }}                                     | ${'linux.timeOffsets'}
    ${'config-linux.md "Network Devices"'}    | ${{ linux: { netDevices: { eth0: {} } } }}                                                    | ${'linux.netDevices'}
  `('$section: $field', ({ change, field }: { change: Parameters<typeof config>[0]; field: string }) => {
    expect(() => {
      checkSpec(config(change));
    }).toThrow(`Cannot use ${field}: `);
  });
});
