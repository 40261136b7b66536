import * as v from 'valibot';
import { DELIVERY_MODES } from '../container/delivery-mode.js';

const id = v.pipe(v.string(), v.nonEmpty());
const integer = v.pipe(v.number(), v.safeInteger());
const count = v.pipe(integer, v.minValue(0));
const nothing = v.object({});
const container = v.object({ id });
const waitStatus = v.object({ waitStatus: count });
/**
 * Descriptors that come along, in this order: the two ends of a terminal, or 0, 1 and 2; those passed on; the socket to a
 * stand-in. A shared terminal is in use by others too and stays as it is.
 */
const io = {
  terminal: v.picklist(['none', 'own', 'shared']),
  /** The numbers that those passed on have in the sandbox. */
  passedAt: v.array(v.pipe(count, v.minValue(3))),
  /** The host's process that stands for it, 0 if none does. */
  hostPid: count,
};
export type IoParams = v.InferOutput<v.ObjectSchema<typeof io, undefined>>;
const creation = { id, config: v.string(), bundleDir: v.string(), ...io };
const processRow = v.object({
  uid: count,
  pid: count,
  parentPid: count,
  threadCount: count,
  cpuPercent: count,
  tty: v.string(),
  startedMs: v.number(),
  cpuMs: v.number(),
  command: v.string(),
  /** The host's process that stands for it, 0 if none does. */
  hostPid: count,
});

const method = <P extends v.GenericSchema, R extends v.GenericSchema>(
  params: P,
  result: R,
): { params: P; result: R } => ({
  params,
  result,
});

/** What the control server of a sandbox can be asked, by name: schemas of the question and of the answer. */
export const METHODS = {
  /** Makes the sandbox and its first container from the text of a config.json. */
  'containerManager.CreateRoot': method(
    // A descriptor of the user log comes along, last.
    v.object({ ...creation, hasUserLog: v.boolean() }),
    nothing,
  ),
  /** The creation is written down: the sandbox lives on without the connection that made it. */
  'containerManager.Commit': method(nothing, nothing),
  'containerManager.StartRoot': method(container, nothing),
  /** Makes another container of a pod. */
  'containerManager.CreateSubcontainer': method(
    // The files of the host that it sees come along, last: the sandbox itself reaches no names any more.
    v.object({ ...creation, donatedPaths: v.array(v.string()) }),
    nothing,
  ),
  'containerManager.StartSubcontainer': method(container, nothing),
  'containerManager.DestroySubcontainer': method(container, nothing),
  /**
   * Runs a process, config.md "Process" as JSON, in a container: in a cgroup below its own, and with `mayBePaused` also where
   * it waits until the container is resumed. Returns its ID there.
   */
  'containerManager.ExecuteAsync': method(
    v.object({ id, process: v.string(), cgroup: v.string(), mayBePaused: v.boolean(), ...io }),
    v.object({ pid: count }),
  ),
  'containerManager.Event': method(
    container,
    v.object({
      userMs: v.number(),
      systemMs: v.number(),
      memoryBytes: v.number(),
      processCount: count,
    }),
  ),
  'containerManager.Processes': method(container, v.object({ processes: v.array(processRow) })),
  /** Other limits, `linux.resources` as JSON, for what guests see of the container's cgroup. */
  'containerManager.Update': method(v.object({ id, resources: v.string() }), nothing),
  'containerManager.Pause': method(container, nothing),
  'containerManager.Resume': method(container, nothing),
  'containerManager.Signal': method(
    v.object({ id, pid: count, signo: integer, mode: v.picklist(DELIVERY_MODES) }),
    nothing,
  ),
  /** Sends a signal to an executed process by its ID in the container: to the foreground where it has a terminal. */
  'containerManager.SignalExecuted': method(v.object({ id, pid: count, signo: integer }), nothing),
  'containerManager.Wait': method(container, waitStatus),
  'containerManager.WaitPID': method(v.object({ id, pid: count }), waitStatus),
  'containerManager.ContainerRuntimeState': method(
    container,
    v.object({ status: v.picklist(['created', 'running', 'paused', 'stopped']) }),
  ),
  /** The terminal of a process (0: of the first) has another size. */
  'containerManager.ResizeTerminal': method(v.object({ id, pid: count }), nothing),
  /** JavaScript's stack, and where each guest thread is. */
  'debug.Stacks': method(nothing, v.object({ text: v.string() })),
  /** Write a profile in V8's format to the descriptor that comes along. */
  'Profile.CPU': method(v.object({ durationMs: count }), nothing),
  'Profile.Heap': method(nothing, nothing),
  /** Changes what is logged: `strace` has names of system calls, none of them for all, null for none. */
  'Logging.Change': method(
    v.object({ isDebug: v.exactOptional(v.boolean()), strace: v.exactOptional(v.nullable(v.array(v.string()))) }),
    nothing,
  ),
  /** The metrics in Prometheus's exposition format; `filter` is a regular expression that names must match. */
  'Metrics.Export': method(
    v.object({ prefix: v.string(), filter: v.exactOptional(v.string()), labels: v.record(v.string(), v.string()) }),
    v.object({ text: v.string() }),
  ),
  /** Joins the connected socket that comes along to a port of a container's loopback address. */
  'containerManager.PortForward': method(v.object({ id, port: v.pipe(count, v.maxValue(65_535)) }), nothing),
  /** Writes what was written to a container's root filesystem, as a layer of an OCI image, to the file that comes along. */
  'Fs.TarRootfsUpperLayer': method(container, nothing),
  'Usage.Collect': method(
    nothing,
    v.object({
      anonymousBytes: v.number(),
      pageCacheBytes: v.number(),
      tmpfsBytes: v.number(),
      systemBytes: v.number(),
      committedBytes: v.number(),
      sentryPeakBytes: v.number(),
    }),
  ),
} as const;

export type MethodName = keyof typeof METHODS;
export type MethodParams<M extends MethodName> = v.InferOutput<(typeof METHODS)[M]['params']>;
export type MethodResult<M extends MethodName> = v.InferOutput<(typeof METHODS)[M]['result']>;

/** Answers calls. A handler owns the descriptors that came along, whether it throws or not. */
export type MethodHandlers = {
  readonly [M in MethodName]?: (
    params: MethodParams<M>,
    fds: readonly number[],
    connection: number,
  ) => MethodResult<M> | Promise<MethodResult<M>>;
};

/**
 * Version of what this file describes. It goes up with every change that a client or a server of before would
 * misunderstand: the two may come from different installations, since sandboxes outlive an update.
 */
export const PROTOCOL_VERSION = 1;

/** A message on the wire. */
export const requestSchema = v.object({
  id: count,
  /** {@link PROTOCOL_VERSION} of the client; the first ones did not say it. */
  protocol: v.optional(count, 0),
  method: v.string(),
  params: v.unknown(),
});
export const responseSchema = v.object({
  id: count,
  result: v.exactOptional(v.unknown()),
  error: v.exactOptional(v.object({ message: v.string(), exitStatus: count })),
});

/** Whether there is a method of this name. */
export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name);
}

/** The first thing that is wrong with a value, as `field: what`. */
export function firstIssue(issues: readonly v.BaseIssue<unknown>[]): string {
  const issue = issues[0];
  if (issue === undefined) return 'it does not fit';
  const path = v.getDotPath(issue);
  return path === null ? issue.message : `${path}: ${issue.message}`;
}
