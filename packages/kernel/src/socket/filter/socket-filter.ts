import { BPF_MAXINSNS, EFAULT, EINVAL, ENOENT, EPERM, SIZEOF_SOCK_FILTER, loadU64, type Errno } from '@tsv/abi';
import { SocketFilter } from '@tsv/netstack';
import type { Task } from '../../task/task.js';

/** `struct sock_fprog`: a count, and where the instructions are. */
const SIZEOF_SOCK_FPROG = 16;
const FILTER = 8;

/** A socket of the stack that can have a filter. */
export interface Filterable {
  socketFilter: SocketFilter | null;
}

/** Sockets whose filter stays, SO_LOCK_FILTER. */
const locked = new WeakSet<Filterable>();

/** SO_ATTACH_FILTER of the `struct sock_fprog` at `addr`. Errors: EFAULT, EINVAL, EPERM when the filter is locked. */
export function attachFilter(socket: Filterable, addr: number, len: number, t: Task): 0 | Errno {
  if (len !== SIZEOF_SOCK_FPROG) return -EINVAL;
  if (locked.has(socket)) return -EPERM;
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_SOCK_FPROG) !== 0) return -EFAULT;
  const count = scratchView.getUint16(0, true);
  const from = loadU64(scratchView, FILTER);
  if (count < 1 || count > BPF_MAXINSNS) return -EINVAL;
  if (t.mm.copyIn(scratch, 0, from, count * SIZEOF_SOCK_FILTER) !== 0) return -EFAULT;
  const filter = SocketFilter.load(scratch.subarray(0, count * SIZEOF_SOCK_FILTER));
  if (filter === undefined) return -EINVAL;
  socket.socketFilter = filter;
  return 0;
}

/** SO_DETACH_FILTER. Errors: ENOENT when there is none, EPERM when it is locked. */
export function detachFilter(socket: Filterable): 0 | Errno {
  if (locked.has(socket)) return -EPERM;
  if (socket.socketFilter === null) return -ENOENT;
  socket.socketFilter = null;
  return 0;
}

/** Whether SO_LOCK_FILTER was set. */
export function isFilterLocked(socket: Filterable): boolean {
  return locked.has(socket);
}

/** SO_LOCK_FILTER. Errors: EPERM for unlocking it. */
export function lockFilter(socket: Filterable, isLocked: boolean): 0 | Errno {
  if (!isLocked) return locked.has(socket) ? -EPERM : 0;
  locked.add(socket);
  return 0;
}
