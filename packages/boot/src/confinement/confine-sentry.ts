import { errnoText } from '@tsv/abi';
import {
  LANDLOCK_DENY_TCP,
  SyscallGroup,
  confineProcess,
  createLandlockRuleset,
  close,
  getThreadCapabilities,
  installSeccompFilter,
  sentryFilters,
} from '@tsv/host';
import { toByteString } from '../byte-string.js';
import type { HostUds, NetworkMode } from '../config.js';
import { SandboxError } from '../sandbox-error.js';
import type { SandboxLog } from '../sandbox-log.js';

/** What {@link confineSentry} has to leave open. */
export interface ConfinementOptions {
  /** Name of the platform itself, not `auto`: its stubs run already. */
  readonly platform: string;
  readonly network: NetworkMode;
  /** Directories of the host that guests see, for hosts where only Landlock keeps others out of reach. */
  readonly directories: readonly HostDirectory[];
  readonly hostUds: HostUds;
  /** Whether the sentry opens host files itself; else its gofer does. */
  readonly isDirectfs: boolean;
  /** `--disable-seccomp`: for debugging the sentry. */
  readonly isSeccompDisabled: boolean;
  /** Whether the process was started in user and PID namespaces of its own. */
  readonly isStartedInNamespaces: boolean;
  readonly log: SandboxLog;
}

/** A directory that the sentry opens files beneath. */
export interface HostDirectory {
  readonly path: string;
  readonly isWritable: boolean;
}

/** `clone(2)` flags of the namespaces that a process with threads can enter. */
const CLONE_NEWNS = 0x0002_0000;
const CLONE_NEWUTS = 0x0400_0000;
const CLONE_NEWIPC = 0x0800_0000;
const CLONE_NEWNET = 0x4000_0000;
/** Bits of capabilities(7). */
const CAP_SYS_CHROOT = 2 ** 18;
const CAP_SYS_ADMIN = 2 ** 21;

/** What the filters leave to each platform beside host files. */
const GROUPS_OF_PLATFORM: Readonly<Record<string, readonly SyscallGroup[]>> = {
  ptrace: [SyscallGroup.STUBS, SyscallGroup.PTRACE],
  systrap: [SyscallGroup.STUBS],
  kvm: [SyscallGroup.KVM],
};

const ADVICE = 'run it where seccomp filters may be installed, or with --disable-seccomp, which makes it less safe';
const STEPS = ['', 'enter namespaces of its own', 'empty its root directory', 'change all of its threads'];

/**
 * Takes from this process everything that a sentry does not need, in all of its threads, for good: namespaces of its own,
 * an empty root directory, no capabilities, no_new_privs(2), and seccomp(2) filters under which any call that it does
 * not make ends it. Everything must be open and every stub's ancestor must run; guest code comes after. What the host
 * does not allow is replaced by Landlock, and one log line tells.
 *
 * Throws {@link SandboxError} when the process could not be confined: it must not run guests then.
 */
export function confineSentry(options: ConfinementOptions): void {
  const missing = giveUpPrivileges(options);
  if (options.isSeccompDisabled) {
    options.log.warn('The sandbox runs without seccomp filters: use --disable-seccomp for debugging only');
  } else {
    installFilters(options);
  }
  if (missing.length > 0) options.log.info(`The host does not let the sandbox have ${missing.join(', ')}`);
}

/** Namespaces, root and capabilities. Returns what could not be had. */
function giveUpPrivileges(options: ConfinementOptions): string[] {
  // Node has threads, and a user or PID namespace can be entered only when it is started.
  const missing = options.isStartedInNamespaces ? [] : ['a user and a PID namespace of its own'];
  // The network of the host is used from within its namespace.
  const ofNetwork = options.network === 'host' ? 0 : CLONE_NEWNET;
  const canChangeRoot = hasCapability(CAP_SYS_CHROOT);
  if (hasCapability(CAP_SYS_ADMIN) && canChangeRoot) {
    const [error, step] = confine(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | ofNetwork, true, -1);
    if (error === 0) return missing;
    // Nothing has changed when the first step fails.
    if (step !== 1) throw confinementError(step, error);
  }
  missing.push('mount, network, IPC and UTS namespaces of its own');
  if (canChangeRoot) {
    const [error, step] = confine(0, true, -1);
    if (error !== 0) throw confinementError(step, error);
    return missing;
  }
  missing.push('an empty root directory');
  return [...missing, ...restrictByLandlock(options)];
}

/** Where names of the host stay in reach, Landlock keeps all from being opened but those that guests may see anyway. */
function restrictByLandlock({ directories, network }: ConfinementOptions): string[] {
  const paths = (isWritable: boolean): string[] =>
    directories.filter((directory) => directory.isWritable === isWritable).map(({ path }) => toByteString(path));
  const ruleset = createLandlockRuleset(paths(false), paths(true), network === 'host' ? 0 : LANDLOCK_DENY_TCP);
  const hasLandlock = ruleset >= 0;
  const [error, step] = confine(0, false, hasLandlock ? ruleset : -1);
  if (hasLandlock) close(ruleset);
  if (error !== 0) throw confinementError(step, error);
  return hasLandlock ? [] : ['Landlock in place of it'];
}

function confine(namespaces: number, emptiesRoot: boolean, landlock: number): [error: number, step: number] {
  const failed = new Int32Array(1);
  const error = confineProcess({ namespaces, emptiesRoot, landlock, dropsCapabilities: true }, failed);
  return [error, failed[0]!];
}

function installFilters({ platform, network, hostUds, isDirectfs }: ConfinementOptions): void {
  const files = isDirectfs ? SyscallGroup.HOST_FILES : SyscallGroup.DONATED_FILES;
  const always = [SyscallGroup.CHILDREN, SyscallGroup.LEFTOVERS];
  const groups: SyscallGroup[] = [files, ...always, ...(GROUPS_OF_PLATFORM[platform] ?? [])];
  if (network === 'host') groups.push(SyscallGroup.HOST_NETWORK);
  if (hostUds === 'create' || hostUds === 'all') groups.push(SyscallGroup.NAMED_SOCKETS);
  for (const filter of sentryFilters(groups)) {
    const error = installSeccompFilter(filter);
    if (error < 0) throw new SandboxError(`Cannot confine the sandbox: seccomp(2): ${errnoText(-error)}; ${ADVICE}`);
  }
}

function hasCapability(bit: number): boolean {
  return Math.floor(getThreadCapabilities() / bit) % 2 === 1;
}

function confinementError(step: number, error: number): SandboxError {
  return new SandboxError(`Cannot confine the sandbox: it could not ${STEPS[step] ?? 'start'}: ${errnoText(-error)}`);
}
