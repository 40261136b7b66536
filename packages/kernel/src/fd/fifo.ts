import { ENXIO, O_NONBLOCK, O_WRONLY, O_ACCMODE } from '@tsv/abi';
import type { Inode, SpecialFileOpen } from '@tsv/vfs';
import { Pipe } from './pipe.js';
import { PipeFile } from './pipe-file.js';
import type { UserCount } from './user-count.js';

/** The pipe of each FIFO that somebody has open; what is in it is lost when nobody has. */
const pipes = new WeakMap<Inode, Pipe>();

/**
 * What opens FIFOs, fifo(7): the driver for `DeviceRegistry.openFifo`. `pages` are those of each user. Errors: ENXIO to
 * write without waiting for a reader.
 */
export function fifoOpener(pages: UserCount): SpecialFileOpen {
  return (inode, path, flags, caller) => {
    let pipe = pipes.get(inode);
    const isWriteOnly = (flags & O_ACCMODE) === O_WRONLY;
    if (isWriteOnly && (flags & O_NONBLOCK) !== 0 && (pipe === undefined || pipe.readerCount === 0)) return -ENXIO;
    if (pipe?.isOpen !== true) {
      pipe = new Pipe(pages, caller);
      pipes.set(inode, pipe);
    }
    return new PipeFile(inode, path, flags, pipe);
  };
}
