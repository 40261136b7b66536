import { NT_PRFPREG, NT_PRSTATUS, NT_X86_XSTATE, SIZEOF_SIGINFO, SIZEOF_USER_FPREGS, storeI64 } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { storeRegs } from '../ptrace/user-area.js';
import { storeSigInfo, type SigInfo } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';

/** Types of notes, elf(5). */
const NT_PRPSINFO = 3;
const NT_AUXV = 6;
const NT_FILE = 0x46494c45;
const NT_SIGINFO = 0x53494749;

/** `struct elf_prstatus` of x86-64: what is not here is zero. */
const SIZEOF_PRSTATUS = 336;
const PR_SIGNO = 0;
const PR_CODE = 4;
const PR_CURSIG = 12;
const PR_SIGHOLD = 24;
const PR_PID = 32;
const PR_PPID = 36;
const PR_PGRP = 40;
const PR_SID = 44;
const PR_UTIME = 48;
const PR_STIME = 64;
const PR_REG = 112;
const PR_FPVALID = 328;

/** `struct elf_prpsinfo`. */
const SIZEOF_PRPSINFO = 136;
const PS_SNAME = 1;
const PS_UID = 16;
const PS_GID = 20;
const PS_PID = 24;
const PS_PPID = 28;
const PS_PGRP = 32;
const PS_SID = 36;
const PS_FNAME = 40;
const PS_FNAME_BYTES = 16;
const PS_ARGS = 56;
const PS_ARGS_BYTES = 80;

/** Notes as they lie in the file. */
export class NoteWriter {
  readonly #parts: Uint8Array[] = [];
  byteCount = 0;

  add(name: string, type: number, content: Uint8Array): void {
    const nameBytes = (name.length + 1 + 3) & ~3;
    const note = new Uint8Array(12 + nameBytes + ((content.length + 3) & ~3));
    const view = new DataView(note.buffer);
    view.setUint32(0, name.length + 1, true);
    view.setUint32(4, content.length, true);
    view.setUint32(8, type, true);
    putText(note, 12, name);
    note.set(content, 12 + nameBytes);
    this.#parts.push(note);
    this.byteCount += note.length;
  }

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(this.byteCount);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** The notes of a process that `info` ends in `task`, core(5): the thread that it came to is the first. */
export function coreNotes(task: Task, info: SigInfo): NoteWriter {
  const notes = new NoteWriter();
  addThread(notes, task, info);
  notes.add('CORE', NT_PRPSINFO, processInfo(task));
  const siginfo = new Uint8Array(SIZEOF_SIGINFO);
  storeSigInfo(new DataView(siginfo.buffer), 0, info);
  notes.add('CORE', NT_SIGINFO, siginfo);
  notes.add('CORE', NT_AUXV, task.mm.auxv);
  notes.add('CORE', NT_FILE, mappedFiles(task));
  addFloatingPoint(notes, task);
  for (const other of task.threadGroup.tasks) {
    if (other === task || other.hasExited) continue;
    addThread(notes, other, info);
    addFloatingPoint(notes, other);
  }
  return notes;
}

/** Differs: a thread that runs in the guest is told with the registers of its last stop. */
function addThread(notes: NoteWriter, task: Task, info: SigInfo): void {
  const bytes = new Uint8Array(SIZEOF_PRSTATUS);
  const view = new DataView(bytes.buffer);
  const { threadGroup, signals, pidNs } = task;
  view.setInt32(PR_SIGNO, info.signo, true);
  view.setInt32(PR_CODE, info.code, true);
  view.setInt16(PR_CURSIG, info.signo, true);
  view.setUint32(PR_SIGHOLD, signals.blocked.low >>> 0, true);
  view.setUint32(PR_SIGHOLD + 4, signals.blocked.high >>> 0, true);
  view.setInt32(PR_PID, task.threadPid.in(pidNs), true);
  storeFamily(task, view, [PR_PPID, PR_PGRP, PR_SID]);
  storeTime(view, PR_UTIME, task.times.userMs + threadGroup.exitedTimes.userMs);
  storeTime(view, PR_STIME, task.times.systemMs + threadGroup.exitedTimes.systemMs);
  storeRegs(task, view, PR_REG);
  view.setInt32(PR_FPVALID, 1, true);
  notes.add('CORE', NT_PRSTATUS, bytes);
}

function storeTime(view: DataView, at: number, ms: number): void {
  storeI64(view, at, Math.floor(ms / 1000));
  storeI64(view, at + 8, Math.floor((ms % 1000) * 1000));
}

function storeFamily(task: Task, view: DataView, [ppidAt, pgrpAt, sidAt]: [number, number, number]): void {
  const { threadGroup, pidNs } = task;
  view.setInt32(ppidAt, threadGroup.parent?.pidIn(pidNs) ?? 0, true);
  view.setInt32(pgrpAt, threadGroup.processGroup.id.in(pidNs), true);
  view.setInt32(sidAt, threadGroup.session.leader.pidIn(pidNs), true);
}

function addFloatingPoint(notes: NoteWriter, task: Task): void {
  if (task.isInGuest) return;
  const state = new Uint8Array(task.kernel.platform.xstateBytes);
  task.context.loadFp(state, 0);
  notes.add('CORE', NT_PRFPREG, state.subarray(0, SIZEOF_USER_FPREGS));
  notes.add('LINUX', NT_X86_XSTATE, state);
}

function processInfo(task: Task): Uint8Array {
  const bytes = new Uint8Array(SIZEOF_PRPSINFO);
  const view = new DataView(bytes.buffer);
  const { threadGroup, creds, mm, pidNs } = task;
  bytes[PS_SNAME] = 'R'.charCodeAt(0);
  view.setUint32(PS_UID, creds.userNs.uidInside(creds.uid), true);
  view.setUint32(PS_GID, creds.userNs.gidInside(creds.gid), true);
  view.setInt32(PS_PID, threadGroup.pidIn(pidNs), true);
  storeFamily(task, view, [PS_PPID, PS_PGRP, PS_SID]);
  putText(bytes, PS_FNAME, task.comm.slice(0, PS_FNAME_BYTES - 1));
  const argBytes = Math.min(PS_ARGS_BYTES - 1, mm.argEnd - mm.argStart);
  if (argBytes > 0 && mm.copyIn(bytes, PS_ARGS, mm.argStart, argBytes) === 0) {
    for (let at = PS_ARGS; at < PS_ARGS + argBytes; at++) if (bytes[at] === 0) bytes[at] = 0x20;
  }
  return bytes;
}

/** Bytes of names that are told: Linux leaves a larger list out. */
const FILE_NAMES_BYTES_MAX = 4 << 20;

/** `NT_FILE`: where which files are mapped, so that a debugger finds what the dump leaves out. */
function mappedFiles(task: Task): Uint8Array {
  const { vfs } = task.kernel;
  const rows: number[] = [];
  let names = '';
  for (const vma of task.mm.addressMap.vmas.items) {
    const path = vma.file?.path ?? null;
    if (path === null) continue;
    if (names.length > FILE_NAMES_BYTES_MAX) break;
    rows.push(vma.start, vma.end, Math.floor(vma.offset / PAGE_BYTES));
    names += `${vfs.pathText(path, task.root)}\0`;
  }
  const bytes = new Uint8Array((rows.length + 2) * 8 + names.length);
  const view = new DataView(bytes.buffer);
  storeI64(view, 0, rows.length / 3);
  storeI64(view, 8, PAGE_BYTES);
  for (const [index, value] of rows.entries()) storeI64(view, (index + 2) * 8, value);
  putText(bytes, (rows.length + 2) * 8, names);
  return bytes;
}

function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}
