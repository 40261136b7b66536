/**
 * The JSON schema of config.json, written from the Open Container Initiative's runtime-spec 1.2 (config.md and
 * config-linux.md). `node tools/oci/generate.mjs` makes the TypeScript types and the validator from it.
 */
const string = { type: 'string' };
const bool = { type: 'boolean' };
const strings = { type: 'array', items: string };
const stringMap = { type: 'object', additionalProperties: string };
const integer = (minimum, maximum, description) => ({
  type: 'integer',
  minimum,
  maximum,
  ...(description && { description }),
});
const uint16 = integer(0, 65535);
const uint32 = integer(0, 4294967295);
/** JSON numbers are doubles: 64-bit values are checked for sign and wholeness only. */
const uint64 = { type: 'integer', minimum: 0 };
const int64 = { type: 'integer' };
const path = { type: 'string', pattern: '.' };
const array = (items) => ({ type: 'array', items });
const object = (properties, required = [], description) => ({
  type: 'object',
  properties,
  required,
  ...(description && { description }),
});
const ref = (name) => ({ $ref: `#/$defs/${name}` });

const capabilityName = { type: 'string', pattern: '^CAP_[A-Z_]+$' };
const capabilities = object({
  bounding: array(capabilityName),
  effective: array(capabilityName),
  inheritable: array(capabilityName),
  permitted: array(capabilityName),
  ambient: array(capabilityName),
});

const process = object(
  {
    args: strings,
    commandLine: string,
    consoleSize: object({ height: uint64, width: uint64 }, ['height', 'width']),
    cwd: string,
    env: strings,
    terminal: bool,
    user: object({
      uid: uint32,
      gid: uint32,
      umask: uint32,
      additionalGids: array(uint32),
      username: string,
    }),
    capabilities,
    apparmorProfile: string,
    oomScoreAdj: { type: 'integer', minimum: -1000, maximum: 1000 },
    selinuxLabel: string,
    ioPriority: object({
      class: { enum: ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'] },
      priority: integer(0, 7),
    }),
    noNewPrivileges: bool,
    scheduler: { type: 'object' },
    execCPUAffinity: object({ initial: string, final: string }),
    rlimits: array(
      object({ type: { type: 'string', pattern: '^RLIMIT_[A-Z]+$' }, hard: uint64, soft: uint64 }, [
        'type',
        'hard',
        'soft',
      ]),
    ),
  },
  ['cwd'],
  'The container process, config.md "Process".',
);

const idMapping = object({ containerID: uint32, hostID: uint32, size: uint32 }, ['containerID', 'hostID', 'size']);
const mount = object(
  {
    destination: path,
    source: string,
    type: string,
    options: strings,
    uidMappings: array(idMapping),
    gidMappings: array(idMapping),
  },
  ['destination'],
  'A mount beside the root, config.md "Mounts".',
);
const hook = object({ path: path, args: strings, env: strings, timeout: integer(1, 2147483647) }, ['path']);
const hooks = object({
  prestart: array(hook),
  createRuntime: array(hook),
  createContainer: array(hook),
  startContainer: array(hook),
  poststart: array(hook),
  poststop: array(hook),
});

const device = object(
  {
    type: { enum: ['c', 'b', 'u', 'p'] },
    path,
    major: int64,
    minor: int64,
    fileMode: integer(0, 0xffff),
    uid: uint32,
    gid: uint32,
  },
  ['type', 'path'],
);
const seccompArg = object({ index: uint32, value: uint64, valueTwo: uint64, op: string }, ['index', 'value', 'op']);
const seccomp = object(
  {
    defaultAction: string,
    defaultErrnoRet: uint32,
    flags: strings,
    listenerPath: string,
    listenerMetadata: string,
    architectures: strings,
    syscalls: array(
      object({ names: { ...strings, minItems: 1 }, action: string, errnoRet: uint32, args: array(seccompArg) }, [
        'names',
        'action',
      ]),
    ),
  },
  ['defaultAction'],
);
const throttle = array(object({ major: int64, minor: int64, rate: uint64 }, ['major', 'minor', 'rate']));
const resources = object({
  unified: stringMap,
  devices: array(object({ allow: bool, type: string, major: int64, minor: int64, access: string }, ['allow'])),
  pids: object({ limit: int64 }),
  blockIO: object({
    weight: uint16,
    leafWeight: uint16,
    throttleReadBpsDevice: throttle,
    throttleWriteBpsDevice: throttle,
    throttleReadIOPSDevice: throttle,
    throttleWriteIOPSDevice: throttle,
    weightDevice: array(object({ major: int64, minor: int64, weight: uint16, leafWeight: uint16 }, ['major', 'minor'])),
  }),
  cpu: object({
    cpus: string,
    mems: string,
    period: uint64,
    quota: int64,
    burst: uint64,
    realtimePeriod: uint64,
    realtimeRuntime: int64,
    shares: uint64,
    idle: int64,
  }),
  hugepageLimits: array(object({ pageSize: string, limit: uint64 }, ['pageSize', 'limit'])),
  memory: object({
    kernel: int64,
    kernelTCP: int64,
    limit: int64,
    reservation: int64,
    swap: int64,
    swappiness: uint64,
    disableOOMKiller: bool,
    useHierarchy: bool,
    checkBeforeUpdate: bool,
  }),
  network: object({
    classID: uint32,
    priorities: array(object({ name: string, priority: uint32 }, ['name', 'priority'])),
  }),
  rdma: { type: 'object', additionalProperties: object({ hcaHandles: uint32, hcaObjects: uint32 }) },
});
const linux = object({
  devices: array(device),
  netDevices: { type: 'object', additionalProperties: object({ name: string }) },
  uidMappings: array(idMapping),
  gidMappings: array(idMapping),
  namespaces: array(
    object({ type: { enum: ['mount', 'pid', 'network', 'uts', 'ipc', 'user', 'cgroup', 'time'] }, path: string }, [
      'type',
    ]),
  ),
  resources,
  cgroupsPath: string,
  rootfsPropagation: { enum: ['', 'private', 'shared', 'slave', 'unbindable', 'rprivate', 'rshared', 'rslave'] },
  seccomp,
  sysctl: stringMap,
  maskedPaths: strings,
  readonlyPaths: strings,
  mountLabel: string,
  intelRdt: { type: 'object' },
  personality: object({ domain: string, flags: strings }, ['domain']),
  timeOffsets: { type: 'object', additionalProperties: object({ secs: int64, nanosecs: uint32 }) },
});

export const configSchema = {
  $id: 'https://tsv.invalid/oci/config.json',
  title: 'Spec',
  type: 'object',
  description: 'A bundle\'s config.json, runtime-spec "Configuration".',
  required: ['ociVersion'],
  properties: {
    ociVersion: { type: 'string', pattern: '.' },
    root: object({ path, readonly: bool }, ['path'], 'The root filesystem, config.md "Root".'),
    process: ref('Process'),
    hostname: string,
    domainname: string,
    mounts: array(ref('Mount')),
    hooks: ref('Hooks'),
    annotations: stringMap,
    linux: ref('Linux'),
  },
  $defs: {
    Process: { title: 'Process', ...process },
    Mount: { title: 'Mount', ...mount },
    Hooks: { title: 'Hooks', ...hooks },
    Linux: { title: 'Linux', ...linux },
  },
};
