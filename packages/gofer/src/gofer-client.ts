import {
  close,
  fcntl,
  openat2,
  pollFd,
  reapProcess,
  recvFds,
  sendFds,
  signalProcess,
  startProcess,
  unixSocketpair,
} from '@tsv/host';
import { EINTR, EIO, ENAMETOOLONG, O_CLOEXEC, O_RDWR, POLLIN, SOCK_CLOEXEC, SOCK_SEQPACKET, errnoText } from '@tsv/abi';
import native from '../native/index.js';

/** What a gofer can be asked for; the numbers are the protocol's, as in native/src/request.rs. */
export const GoferOperation = {
  OPEN: 1,
  REOPEN: 2,
  MAKE_DIRECTORY: 3,
  MAKE_NODE: 4,
  MAKE_LINK: 5,
  LINK: 6,
  UNLINK: 7,
  RENAME: 8,
  CHANGE_OWNER: 9,
  CHANGE_MODE: 10,
  CHANGE_TIMES: 11,
  CONNECT_SOCKET: 12,
  BIND_SOCKET: 13,
} as const;
export type GoferOperation = (typeof GoferOperation)[keyof typeof GoferOperation];

/** What a gofer is started for. */
export interface GoferStart {
  /** In namespaces of its own, with the capabilities to act on everybody's files. */
  readonly isRoot: boolean;
  /** Whether it makes sockets that have names on the host: `--host-uds`. */
  readonly hasSockets?: boolean;
}

/** Numbers of a request; those that an operation does not use are left out. */
export interface GoferNumbers {
  /** Of a socket: its type, SOCK_*. */
  readonly flags?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds and nanoseconds of last access, then of last change. */
  readonly times?: readonly [number, number, number, number];
}

const AT_FDCWD = -100;
/** CLONE_NEWNS, NEWUTS, NEWIPC, NEWPID and NEWNET, clone(2). */
const NAMESPACES = 0x0002_0000 | 0x0400_0000 | 0x0800_0000 | 0x2000_0000 | 0x4000_0000;
/** CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER and FSETID, and CAP_SYS_ADMIN until it is confined. */
const CAPABILITIES = 0b1_1111 + 2 ** 21;
const SIGKILL = 9;
const STDERR = 2;
const F_GETFD = 1;
const READY_MS_MAX = 30_000;
/** How long a killed gofer may take to end: it may be in a call that the host does not interrupt. */
const END_MS_MAX = 1_000;

const HEADER_BYTES = 60;
const TIMES_AT = 28;
const NAME_BYTES_MAX = 4096;
const STATUS_BYTES = 4;

/**
 * A gofer process and the socket to it. Calls block until it answers: some microseconds, and as long as the host's
 * filesystem takes. The sentry's death ends it.
 */
export class GoferClient {
  readonly pid: number;
  /** Readable when the gofer has ended. */
  readonly pidfd: number;
  readonly #socket: number;
  #isReady = false;
  readonly #message = new Uint8Array(HEADER_BYTES + 2 * NAME_BYTES_MAX);
  readonly #view = new DataView(this.#message.buffer);
  readonly #oneFd = new Int32Array(1);
  readonly #twoFds = new Int32Array(2);
  readonly #reply = new Uint8Array(STATUS_BYTES);
  readonly #replyView = new DataView(this.#reply.buffer);
  readonly #received = new Int32Array(1);

  private constructor(socket: number, pid: number, pidfd: number) {
    this.#socket = socket;
    this.pid = pid;
    this.pidfd = pidfd;
  }

  /** Starts a gofer. Throws an Error that says what failed. */
  static start({ isRoot, hasSockets = false }: GoferStart): GoferClient {
    const pair = new Int32Array(2);
    const failed = unixSocketpair(SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
    if (failed < 0) throw new Error(`Cannot start the gofer: socketpair(2): ${errnoText(-failed)}`);
    const [ours, theirs] = [pair[0]!, pair[1]!];
    const nothing = openat2(AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC, 0, 0);
    const hasStderr = fcntl(STDERR, F_GETFD, 0) >= 0;
    const result = new Int32Array(2);
    const file = native.program;
    const error = startProcess(
      {
        file,
        argv: hasSockets ? ['tsv-gofer', '--host-uds'] : ['tsv-gofer'],
        envp: [],
        // What it has to say goes where our messages go.
        fds: [nothing, nothing, hasStderr ? STDERR : nothing, theirs],
        namespaces: isRoot ? NAMESPACES : 0,
        uidMap: '',
        gidMap: '',
        parentDeathSignal: SIGKILL,
        landlock: -1,
        ...(isRoot && { capabilities: CAPABILITIES }),
      },
      result,
    );
    if (nothing >= 0) close(nothing);
    close(theirs);
    if (error < 0) {
      close(ours);
      throw new Error(`Cannot start the gofer "${file}": ${errnoText(-error)}`);
    }
    return new GoferClient(ours, result[0]!, result[1]!);
  }

  /** Waits until the gofer is confined and serves. Throws an Error when it does not come to that. */
  awaitReady(): void {
    if (!this.#becomesReady()) throw new Error('Cannot start the gofer: it has ended before it was ready');
  }

  /**
   * Carries one operation out. `name` is one component below `fd`, or empty for the file of `fd` itself; for MAKE_LINK it
   * is what the link says. Returns a descriptor for OPEN, REOPEN and sockets, else 0; or what the host's call says. Errors:
   * EIO when the gofer is gone.
   */
  call(operation: GoferOperation, numbers: GoferNumbers, fd: number, name: string, newFd = -1, newName = ''): number {
    if (fd < 0) return fd;
    if (!this.#becomesReady()) return -EIO;
    const len = this.#encode(operation, numbers, name, newName);
    if (len < 0) return len;
    this.#twoFds[0] = this.#oneFd[0] = fd;
    this.#twoFds[1] = newFd;
    const sent = sendFds(this.#socket, this.#message, 0, len, newFd < 0 ? this.#oneFd : this.#twoFds, MSG_NOSIGNAL);
    return sent < 0 ? -EIO : this.#receive();
  }

  /** Ends the gofer and reaps it. */
  close(): void {
    // Killed before it sees its socket closed, it says nothing. It may have ended: that is no error.
    signalProcess(this.pidfd, SIGKILL);
    close(this.#socket);
    let events: number;
    do events = pollFd(this.pidfd, POLLIN, END_MS_MAX);
    while (events === -EINTR);
    this.reap();
    close(this.pidfd);
  }

  /** Lets a gofer that has ended go. */
  reap(): void {
    reapProcess(this.pidfd, new Int32Array(2));
  }

  /** The gofer's first message, which nobody asked for, says that it serves. */
  #becomesReady(): boolean {
    if (this.#isReady) return true;
    let events: number;
    do events = pollFd(this.#socket, POLLIN, READY_MS_MAX);
    while (events === -EINTR);
    this.#isReady = events > 0 && this.#receive() === 0;
    return this.#isReady;
  }

  #receive(): number {
    for (;;) {
      const len = recvFds(this.#socket, this.#reply, 0, STATUS_BYTES, this.#received, 0);
      if (len === -EINTR) continue;
      if (len !== STATUS_BYTES) return -EIO;
      const status = this.#replyView.getInt32(0, true);
      return status === 0 && this.#received[0]! >= 0 ? this.#received[0]! : status;
    }
  }

  /** Bytes of the message, or ENAMETOOLONG. */
  #encode(operation: GoferOperation, numbers: GoferNumbers, name: string, newName: string): number {
    if (name.length > NAME_BYTES_MAX || newName.length > NAME_BYTES_MAX) return -ENAMETOOLONG;
    const { flags = 0, mode = 0, uid = UNCHANGED_ID, gid = UNCHANGED_ID, times = NO_TIMES } = numbers;
    [operation, flags, mode, uid, gid, name.length, newName.length].forEach((word, index) => {
      this.#view.setUint32(index * 4, word, true);
    });
    times.forEach((time, index) => {
      storeI64(this.#view, TIMES_AT + index * 8, time);
    });
    const end = this.#storeText(HEADER_BYTES, name);
    return this.#storeText(end, newName);
  }

  #storeText(at: number, text: string): number {
    for (let i = 0; i < text.length; i++) this.#message[at + i] = text.charCodeAt(i);
    return at + text.length;
  }
}

const MSG_NOSIGNAL = 0x4000;
/** (uid_t)-1: chown(2) leaves that id as it is. */
const UNCHANGED_ID = 0xffffffff;
const NO_TIMES = [0, 0, 0, 0] as const;

function storeI64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}
