/** Host and domain name, uts_namespaces(7). Byte strings of at most 64 bytes. */
export class UtsNamespace {
  hostname: string;
  domainname: string;

  constructor(hostname: string, domainname = '(none)') {
    this.hostname = hostname;
    this.domainname = domainname;
  }
}
