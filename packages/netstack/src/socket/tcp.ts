import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { Nic } from '../net/nic.js';
import type { Stack } from '../stack.js';

export class Tcp {
  constructor(_stack: Stack) {}
  input(_nic: Nic, packet: PacketBuffer): void {
    packet.release();
  }
  error(_error: IcmpError): boolean {
    return false;
  }
  flush(): void {}
}
