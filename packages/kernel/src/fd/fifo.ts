import { ENXIO, O_NONBLOCK, O_WRONLY, O_ACCMODE, type Errno } from '@tsv/abi';
import type { Caller, Inode, OpenFile, VfsPath } from '@tsv/vfs';
import { Pipe } from './pipe.js';
import { PipeFile } from './pipe-file.js';

/** The pipe of each FIFO that somebody has open; what is in it is lost when nobody has. */
const pipes = new WeakMap<Inode, Pipe>();

/** Opens a FIFO, fifo(7): the driver for `DeviceRegistry.openFifo`. Errors: ENXIO to write without waiting for a reader. */
export function openFifo(inode: Inode, path: VfsPath | null, flags: number, _caller: Caller): OpenFile | Errno {
  let pipe = pipes.get(inode);
  if (pipe === undefined || (pipe.readerCount === 0 && pipe.writerCount === 0)) {
    pipe = new Pipe();
    pipes.set(inode, pipe);
  }
  const isWriteOnly = (flags & O_ACCMODE) === O_WRONLY;
  if (isWriteOnly && (flags & O_NONBLOCK) !== 0 && pipe.readerCount === 0) return -ENXIO;
  return new PipeFile(inode, path, flags, pipe);
}
