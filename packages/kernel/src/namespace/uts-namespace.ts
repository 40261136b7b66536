import type { UserNamespace } from './user-namespace.js';

/** Host and domain name, uts_namespaces(7). Byte strings of at most 64 bytes. */
export class UtsNamespace {
  hostname: string;
  domainname: string;
  readonly userNs: UserNamespace;

  constructor(userNs: UserNamespace, hostname: string, domainname = '(none)') {
    this.userNs = userNs;
    this.hostname = hostname;
    this.domainname = domainname;
  }

  /** A copy that belongs to `userNs`, CLONE_NEWUTS. */
  fork(userNs: UserNamespace): UtsNamespace {
    return new UtsNamespace(userNs, this.hostname, this.domainname);
  }
}
