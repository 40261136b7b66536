import { SIZEOF_SOCKADDR_STORAGE } from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import type { PeerCredentials } from './peer-credentials.js';

/** Bytes of ancillary data that one call can take or give, /proc/sys/net/core/optmem_max. */
export const CONTROL_BYTES_MAX = 20480;

/**
 * What travels beside the bytes of one sendmsg(2) or recvmsg(2). One object is used again and again: a socket reads
 * or fills it during the call and keeps nothing of it but the files and credentials it takes over.
 */
export class SocketMessage {
  /** The address to send to, or the one that the data came from. */
  readonly address = new Uint8Array(SIZEOF_SOCKADDR_STORAGE);
  readonly addressView = new DataView(this.address.buffer);
  /** 0 when there is none. */
  addressLen = 0;
  /** `MSG_*` that recvmsg(2) tells: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB. */
  flags = 0;
  /** Bytes of the packet that was received, though not all may have been moved. */
  wholeBytes = 0;
  /** SCM_RIGHTS: open files, each with a reference that goes with the message. */
  rights: OpenFile[] | null = null;
  /** SCM_CREDENTIALS, or null. */
  credentials: PeerCredentials | null = null;
  /** Ancillary data of other levels, encoded as `struct cmsghdr` one behind the other. */
  readonly control = new Uint8Array(CONTROL_BYTES_MAX);
  readonly controlView = new DataView(this.control.buffer);
  controlLen = 0;

  /** Starts a message without anything. */
  clear(): void {
    this.addressLen = 0;
    this.flags = 0;
    this.wholeBytes = 0;
    this.rights = null;
    this.credentials = null;
    this.controlLen = 0;
  }

  /** Gives up the files that nobody took over. */
  dropRights(): void {
    const rights = this.rights;
    this.rights = null;
    if (rights !== null) for (const file of rights) file.decRef();
  }
}
