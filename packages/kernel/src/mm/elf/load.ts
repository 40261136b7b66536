import { ELIBBAD, ELOOP, ENOEXEC, PROT_EXEC, PROT_READ, type Errno } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { MemoryIo, type Caller, type OpenFile } from '@tsv/vfs';
import type { Credentials } from '../../cred/credentials.js';
import type { Kernel } from '../../kernel.js';
import { openExecutable } from '../../task/open-executable.js';
import type { ResourceLimits } from '../../task/resource-limits.js';
import { makeLayout, randomBrk, type Layout, type Random } from '../layout.js';
import { MappedFileReader } from '../mapped-file-reader.js';
import { Mm } from '../mm.js';
import { parseElf, type ElfImage } from './elf-image.js';
import { makeInitialStack } from './initial-stack.js';
import { biasFor, mapImage, noteSegments } from './map-image.js';
import { HEAD_BYTES, parseScriptLine } from './script.js';

/** Scripts that may interpret scripts, execve(2). */
const SCRIPT_DEPTH_MAX = 4;
/** `struct rt_sigframe` without the FP state, with what aligning it may take. */
const SIGNAL_FRAME_BYTES = 440 + 64 + 16;
/** personality(2). */
const ADDR_NO_RANDOMIZE = 0x004_0000;

/** A program in memory, ready to start. */
export interface LoadedProgram {
  readonly mm: Mm;
  readonly entry: number;
  readonly stackPointer: number;
}

/**
 * Loads the program in `file`, called `path`, into a new address space, execve(2). Arguments are byte strings. Errors:
 * E2BIG, EACCES, EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC, ENOMEM, and what opening an interpreter returns.
 */
export function loadProgram(
  kernel: Kernel,
  caller: Caller,
  file: OpenFile,
  path: string,
  argv: readonly string[],
  envp: readonly string[],
  creds: Credentials,
  limits: ResourceLimits,
  personality = 0,
): LoadedProgram | Errno {
  const script = openProgram(kernel, caller, file, path, argv);
  if (typeof script === 'number') return script;
  const random = (personality & ADDR_NO_RANDOMIZE) === 0 ? kernel.random : null;
  const layout = makeLayout(kernel.platform, limits, random);
  const loaded = new Loader(kernel, caller, layout, limits, random).load(script.file, script.argv, envp, path, creds);
  script.file.decRef();
  return loaded;
}

interface Program {
  readonly file: OpenFile;
  readonly argv: readonly string[];
}

/** Goes from scripts to the program that interprets them; its file carries a reference. */
function openProgram(
  kernel: Kernel,
  caller: Caller,
  file: OpenFile,
  path: string,
  argv: readonly string[],
): Program | Errno {
  file.incRef();
  const head = new Uint8Array(HEAD_BYTES);
  let program: Program = { file, argv };
  let name = path;
  for (let depth = 0; ; depth++) {
    const headBytes = readAt(program.file, caller, head, 0);
    const script = headBytes < 0 ? null : parseScriptLine(head, headBytes);
    if (script === null && headBytes >= 0) return program;
    program.file.decRef();
    if (script === null) return headBytes;
    if (depth === SCRIPT_DEPTH_MAX) return -ELOOP;
    const interpreter = openExecutable(kernel, caller, caller.cwd, script.interpreter, 0);
    if (typeof interpreter === 'number') return interpreter;
    const argument = script.argument === null ? [] : [script.argument];
    program = { file: interpreter, argv: [script.interpreter, ...argument, name, ...program.argv.slice(1)] };
    name = script.interpreter;
  }
}

function readAt(file: OpenFile, caller: Caller, dst: Uint8Array, offset: number): number {
  const io = new MemoryIo(dst);
  let done = 0;
  while (done < dst.length) {
    const n = file.readAt(io, offset + done, caller);
    if (n < 0) return n;
    if (n === 0) break;
    done += n;
  }
  return done;
}

class Loader {
  readonly #kernel: Kernel;
  readonly #caller: Caller;
  readonly #layout: Layout;
  readonly #limits: ResourceLimits;
  readonly #random: Random | null;

  constructor(kernel: Kernel, caller: Caller, layout: Layout, limits: ResourceLimits, random: Random | null) {
    this.#kernel = kernel;
    this.#caller = caller;
    this.#layout = layout;
    this.#limits = limits;
    this.#random = random;
  }

  load(
    file: OpenFile,
    argv: readonly string[],
    envp: readonly string[],
    execName: string,
    creds: Credentials,
  ): LoadedProgram | Errno {
    const image = this.#parse(file);
    if (typeof image === 'number') return image;
    if (image.interpreter === null) return this.#build(file, image, null, null, argv, envp, execName, creds);

    const library = openExecutable(this.#kernel, this.#caller, this.#caller.cwd, image.interpreter, 0);
    if (typeof library === 'number') return library;
    const libraryImage = this.#parse(library);
    let loaded: LoadedProgram | Errno;
    if (typeof libraryImage === 'number') loaded = libraryImage === -ENOEXEC ? -ELIBBAD : libraryImage;
    else loaded = this.#build(file, image, library, libraryImage, argv, envp, execName, creds);
    library.decRef();
    return loaded;
  }

  #parse(file: OpenFile): ElfImage | Errno {
    return parseElf((dst, offset) => readAt(file, this.#caller, dst, offset), this.#layout.maxAddr);
  }

  #build(
    file: OpenFile,
    image: ElfImage,
    library: OpenFile | null,
    libraryImage: ElfImage | null,
    argv: readonly string[],
    envp: readonly string[],
    execName: string,
    creds: Credentials,
  ): LoadedProgram | Errno {
    const { memoryFile, platform, random } = this.#kernel;
    const space = platform.createAddressSpace();
    if (typeof space === 'number') return space;
    const reader = new MappedFileReader(this.#caller);
    const mm = new Mm({ memory: memoryFile, space, layout: this.#layout, limits: this.#limits, reader });
    mm.exeFile = file;
    const bias = image.isPositionIndependent ? biasFor(image, this.#layout.programBase) : 0;
    const entry = this.#mapProgram(mm, file, image, bias, library, libraryImage);
    const { userNs } = creds;
    const stackPointer =
      entry < 0
        ? entry
        : makeInitialStack(
            mm,
            {
              execName,
              argv,
              envp,
              uid: userNs.uidInside(creds.uid),
              euid: userNs.uidInside(creds.euid),
              gid: userNs.gidInside(creds.gid),
              egid: userNs.gidInside(creds.egid),
              isSecure: creds.uid !== creds.euid || creds.gid !== creds.egid,
              interpreterBase: this.#interpreterBase,
              phdrAddr: image.phdrAddr < 0 ? 0 : image.phdrAddr + bias,
              phdrCount: image.phdrCount,
              entry: image.entry + bias,
              hasExecutableStack: image.hasExecutableStack,
              signalFrameBytes: SIGNAL_FRAME_BYTES + platform.xstateBytes,
            },
            random,
            this.#random !== null,
          );
    if (stackPointer < 0) {
      mm.decRef();
      return stackPointer;
    }
    return { mm, entry, stackPointer };
  }

  #interpreterBase = 0;

  /** Maps program, interpreter and vDSO, and says where the heap begins. Returns the address to start at. */
  #mapProgram(
    mm: Mm,
    file: OpenFile,
    image: ElfImage,
    bias: number,
    library: OpenFile | null,
    libraryImage: ElfImage | null,
  ): number {
    const status = mapImage(mm, image, file, bias);
    if (status < 0) return status;
    noteSegments(mm, image, bias);
    mm.brkStart = mm.brkEnd = randomBrk(image.end + bias, this.#random);
    this.#mapVdso(mm);
    if (library === null || libraryImage === null) return image.entry + bias;

    const len = libraryImage.end - libraryImage.start;
    let libraryBias = 0;
    if (libraryImage.isPositionIndependent) {
      const addr = mm.findFree(0, len + libraryImage.alignBytes - PAGE_BYTES);
      if (addr < 0) return addr;
      libraryBias = biasFor(libraryImage, addr);
    }
    this.#interpreterBase = libraryImage.start + libraryBias;
    const error = mapImage(mm, libraryImage, library, libraryBias);
    return error < 0 ? error : libraryImage.entry + libraryBias;
  }

  #mapVdso(mm: Mm): void {
    const { vdso } = this.#kernel;
    if (vdso === null || vdso.imagePageCount === 0) return;
    const { imagePfn, imagePageCount, paramPfn } = vdso;
    const addr = mm.findFree(0, (1 + imagePageCount) * PAGE_BYTES);
    if (addr < 0) return;
    mm.mapOwnPages(addr, 1, paramPfn, PROT_READ, '[vvar]');
    const imageAddr = addr + PAGE_BYTES;
    mm.mapOwnPages(imageAddr, imagePageCount, imagePfn, PROT_READ | PROT_EXEC, '[vdso]');
    mm.vdsoAddr = imageAddr;
  }
}
