import { SyntheticDirectory } from '@tsv/vfs';
import { GeneratedFile } from './generated-file.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** Headings of the tables of proc_pid_net(5), as they are with no protocol in use. */
const EMPTY_TABLES: Readonly<Record<string, string>> = {
  dev:
    'Inter-|   Receive                                                |  Transmit\n' +
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n',
  tcp: '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n',
  udp: '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n',
  route: 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n',
  unix: 'Num       RefCount Protocol Flags    Type St Inode Path\n',
};

/** /proc/net for a kernel without a network: tables without rows. */
export class NetDirectory extends SyntheticDirectory {
  constructor(fs: ProcFileSystem) {
    super(fs, 0o555);
    for (const [name, text] of Object.entries(EMPTY_TABLES)) this.add(name, new GeneratedFile(fs, () => text));
  }
}
