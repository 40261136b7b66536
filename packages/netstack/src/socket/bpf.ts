import { type PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';

/** Classic BPF, `struct sock_filter`: linux/bpf_common.h and linux/filter.h, and bpf(4) of the BSDs, where it is from. */
const BPF_LD = 0x00;
const BPF_LDX = 0x01;
const BPF_ST = 0x02;
const BPF_STX = 0x03;
const BPF_ALU = 0x04;
const BPF_JMP = 0x05;
const BPF_RET = 0x06;
const BPF_MISC = 0x07;
const BPF_W = 0x00;
const BPF_H = 0x08;
const BPF_B = 0x10;
const BPF_IMM = 0x00;
const BPF_ABS = 0x20;
const BPF_IND = 0x40;
const BPF_MEM = 0x60;
const BPF_LEN = 0x80;
const BPF_MSH = 0xa0;
const BPF_ADD = 0x00;
const BPF_SUB = 0x10;
const BPF_MUL = 0x20;
const BPF_DIV = 0x30;
const BPF_OR = 0x40;
const BPF_AND = 0x50;
const BPF_LSH = 0x60;
const BPF_RSH = 0x70;
const BPF_NEG = 0x80;
const BPF_MOD = 0x90;
const BPF_XOR = 0xa0;
const BPF_JA = 0x00;
const BPF_JEQ = 0x10;
const BPF_JGT = 0x20;
const BPF_JGE = 0x30;
const BPF_JSET = 0x40;
const BPF_K = 0x00;
const BPF_X = 0x08;
const BPF_A = 0x10;
const BPF_TAX = 0x00;
const BPF_TXA = 0x80;

/** Instructions of a program, words of its scratch memory, and `sizeof(struct sock_filter)`. */
export const BPF_MAXINSNS = 4096;
const BPF_MEMWORDS = 16;
export const SOCK_FILTER_BYTES = 8;

/** Offsets that mean something else than a place in the packet: linux/filter.h. */
const SKF_AD_OFF = -0x1000;
const SKF_AD_PROTOCOL = 0;
const SKF_AD_PKTTYPE = 4;
const SKF_AD_IFINDEX = 8;
const SKF_AD_MARK = 20;
const SKF_AD_QUEUE = 24;
const SKF_AD_HATYPE = 28;
const SKF_AD_RXHASH = 32;
const SKF_AD_CPU = 36;
const SKF_AD_ALU_XOR_X = 40;
const SKF_AD_VLAN_TAG = 44;
const SKF_AD_VLAN_TAG_PRESENT = 48;
const SKF_NET_OFF = -0x10_0000;
const SKF_LL_OFF = -0x20_0000;
const ARPHRD_ETHER = 1;
const PACKET_OUTGOING = 4;

const scratch = new Int32Array(BPF_MEMWORDS);

/** A program that SO_ATTACH_FILTER gave a socket: says how much of a packet the socket gets. */
export class SocketFilter {
  readonly #codes: Uint16Array;
  readonly #jumps: Uint8Array;
  readonly #constants: Int32Array;

  private constructor(codes: Uint16Array, jumps: Uint8Array, constants: Int32Array) {
    this.#codes = codes;
    this.#jumps = jumps;
    this.#constants = constants;
  }

  /**
   * The program in `bytes`, an array of `struct sock_filter`. Undefined if Linux refuses it: unknown instructions,
   * jumps out of it, memory that there is not, division by a constant 0, or an end that does not return.
   */
  static load(bytes: Uint8Array): SocketFilter | undefined {
    const count = bytes.length / SOCK_FILTER_BYTES;
    if (!Number.isInteger(count) || count < 1 || count > BPF_MAXINSNS) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const codes = new Uint16Array(count);
    const jumps = new Uint8Array(count * 2);
    const constants = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      codes[i] = view.getUint16(i * SOCK_FILTER_BYTES, true);
      jumps[i * 2] = bytes[i * SOCK_FILTER_BYTES + 2]!;
      jumps[i * 2 + 1] = bytes[i * SOCK_FILTER_BYTES + 3]!;
      constants[i] = view.getInt32(i * SOCK_FILTER_BYTES + 4, true);
      if (!isValid(codes[i]!, jumps[i * 2]!, jumps[i * 2 + 1]!, constants[i]!, count - i - 1)) return undefined;
    }
    if ((codes[count - 1]! & 7) !== BPF_RET || !storesBeforeLoads(codes, jumps, constants)) return undefined;
    return new SocketFilter(codes, jumps, constants);
  }

  /** How many bytes of the packet, which starts at `at` for the socket, it gets; 0 for none of it. */
  run(packet: PacketBuffer, at: number): number {
    const codes = this.#codes;
    let [a, x] = [0, 0];
    for (let pc = 0; pc < codes.length; pc++) {
      const code = codes[pc]!;
      const k = this.#constants[pc]!;
      switch (code & 7) {
        case BPF_LD: {
          const value = load(packet, at, code, k, x);
          if (value === NOTHING) return 0;
          a = value;
          break;
        }
        case BPF_LDX: {
          const value = loadIndex(packet, at, code, k);
          if (value === NOTHING) return 0;
          x = value;
          break;
        }
        case BPF_ST:
          scratch[k] = a;
          break;
        case BPF_STX:
          scratch[k] = x;
          break;
        case BPF_ALU: {
          const operand = code & BPF_X ? x : k;
          const operation = code & 0xf0;
          if ((operation === BPF_DIV || operation === BPF_MOD) && operand === 0) return 0;
          a = compute(operation, a, operand);
          break;
        }
        case BPF_JMP:
          pc += this.#jumpLen(pc, a, code & BPF_X ? x : k);
          break;
        case BPF_RET:
          return (code & 0x18 ? a : k) >>> 0;
        case BPF_MISC:
          if ((code & 0xf8) === BPF_TXA) a = x;
          else x = a;
          break;
      }
    }
    return 0;
  }

  #jumpLen(pc: number, a: number, operand: number): number {
    const operation = this.#codes[pc]! & 0xf0;
    if (operation === BPF_JA) return this.#constants[pc]!;
    const isTrue =
      operation === BPF_JEQ
        ? a === operand
        : operation === BPF_JGT
          ? a >>> 0 > operand >>> 0
          : operation === BPF_JGE
            ? a >>> 0 >= operand >>> 0
            : (a & operand) !== 0;
    return this.#jumps[pc * 2 + (isTrue ? 0 : 1)]!;
  }
}

/** What a load out of the packet's bytes gives, which ends the program; no 32-bit value. */
const NOTHING = 2 ** 40;

function compute(operation: number, a: number, operand: number): number {
  switch (operation) {
    case BPF_ADD:
      return (a + operand) | 0;
    case BPF_SUB:
      return (a - operand) | 0;
    case BPF_MUL:
      return Math.imul(a, operand);
    case BPF_DIV:
      return ((a >>> 0) / (operand >>> 0)) | 0;
    case BPF_MOD:
      return ((a >>> 0) % (operand >>> 0)) | 0;
    case BPF_OR:
      return a | operand;
    case BPF_AND:
      return a & operand;
    case BPF_XOR:
      return a ^ operand;
    case BPF_LSH:
      return operand >>> 0 > 31 ? 0 : a << operand;
    case BPF_RSH:
      return operand >>> 0 > 31 ? 0 : (a >>> operand) | 0;
    default:
      return -a | 0;
  }
}

function load(packet: PacketBuffer, at: number, code: number, k: number, x: number): number {
  switch (code & 0xe0) {
    case BPF_IMM:
      return k;
    case BPF_MEM:
      return scratch[k]!;
    case BPF_LEN:
      return packet.end - at;
    case BPF_IND:
      return loadBytes(packet, at, code, (x + k) | 0);
    default:
      return k < 0 && k >= SKF_AD_OFF ? ancillary(packet, k - SKF_AD_OFF) : loadBytes(packet, at, code, k);
  }
}

function loadIndex(packet: PacketBuffer, at: number, code: number, k: number): number {
  if ((code & 0xe0) !== BPF_MSH) return load(packet, at, code, k, 0);
  const byte = loadBytes(packet, at, BPF_B, k);
  return byte === NOTHING ? NOTHING : (byte & 0xf) << 2;
}

/** Bytes in network order: from `offset` of what the socket sees, or of the headers that negative offsets name. */
function loadBytes(packet: PacketBuffer, at: number, code: number, offset: number): number {
  let from = at + offset;
  if (offset < 0) {
    if (offset >= SKF_NET_OFF && packet.networkAt >= 0) from = packet.networkAt + offset - SKF_NET_OFF;
    else if (offset >= SKF_LL_OFF && offset < SKF_NET_OFF && packet.linkAt >= 0)
      from = packet.linkAt + offset - SKF_LL_OFF;
    else return NOTHING;
  }
  const size = code & 0x18;
  const len = size === BPF_W ? 4 : size === BPF_H ? 2 : 1;
  if (from < 0 || from + len > packet.end) return NOTHING;
  const { bytes } = packet;
  let value = 0;
  for (let i = 0; i < len; i++) value = (value << 8) | bytes[from + i]!;
  return value;
}

/** What is known of the packet besides its bytes. */
function ancillary(packet: PacketBuffer, what: number): number {
  switch (what) {
    case SKF_AD_PROTOCOL:
      return packet.etherType;
    case SKF_AD_PKTTYPE:
      if (packet.flags & PacketFlag.FORWARDED) return PACKET_OUTGOING;
      return packet.flags & PacketFlag.LINK_BROADCAST ? 1 : packet.flags & PacketFlag.LINK_MULTICAST ? 2 : 0;
    case SKF_AD_IFINDEX:
      return packet.nicId;
    case SKF_AD_MARK:
      return packet.mark;
    case SKF_AD_HATYPE:
      return ARPHRD_ETHER;
    case SKF_AD_QUEUE:
    case SKF_AD_RXHASH:
    case SKF_AD_CPU:
    case SKF_AD_VLAN_TAG:
    case SKF_AD_VLAN_TAG_PRESENT:
      return 0;
    default:
      return NOTHING;
  }
}

/** `chk_code_allowed()` and what goes with it: whether an instruction is one, `left` more follow it. */
function isValid(code: number, jt: number, jf: number, k: number, left: number): boolean {
  const kind = code & 7;
  if (code > 0xff) return false;
  switch (kind) {
    case BPF_LD:
    case BPF_LDX:
      return isLoad(code, k);
    case BPF_ST:
    case BPF_STX:
      return code === kind && k >>> 0 < BPF_MEMWORDS;
    case BPF_ALU: {
      const operation = code & 0xf0;
      if (operation > BPF_XOR || (operation === BPF_NEG && code & BPF_X)) return false;
      const isByZero = (operation === BPF_DIV || operation === BPF_MOD) && !(code & BPF_X) && k === 0;
      const isTooFar = (operation === BPF_LSH || operation === BPF_RSH) && !(code & BPF_X) && k >>> 0 > 31;
      return !isByZero && !isTooFar;
    }
    case BPF_JMP: {
      const operation = code & 0xf0;
      if (operation > BPF_JSET) return false;
      if (operation === BPF_JA) return code === (BPF_JMP | BPF_JA | BPF_K) && k >>> 0 < left;
      return jt < left && jf < left;
    }
    case BPF_RET:
      return code === (BPF_RET | BPF_K) || code === (BPF_RET | BPF_A);
    default:
      return code === (BPF_MISC | BPF_TAX) || code === (BPF_MISC | BPF_TXA);
  }
}

function isLoad(code: number, k: number): boolean {
  const mode = code & 0xe0;
  const size = code & 0x18;
  const isWide = size === BPF_W;
  if ((code & 7) === BPF_LDX) {
    if (mode === BPF_MSH) return size === BPF_B;
    if (mode === BPF_MEM) return isWide && k >>> 0 < BPF_MEMWORDS;
    return isWide && (mode === BPF_IMM || mode === BPF_LEN);
  }
  if (mode === BPF_ABS || mode === BPF_IND) {
    if (size > BPF_B) return false;
    // Of what is known besides the bytes, only what we tell.
    return mode === BPF_IND || k >= 0 || k < SKF_AD_OFF || isAncillary(k - SKF_AD_OFF);
  }
  if (mode === BPF_MEM) return isWide && k >>> 0 < BPF_MEMWORDS;
  return isWide && (mode === BPF_IMM || mode === BPF_LEN);
}

function isAncillary(what: number): boolean {
  return what % 4 === 0 && what <= SKF_AD_VLAN_TAG_PRESENT && what !== SKF_AD_ALU_XOR_X && (what < 12 || what > 16);
}

/** `check_load_and_stores()`: no word of the scratch memory is read that was not written on every way there. */
function storesBeforeLoads(codes: Uint16Array, jumps: Uint8Array, constants: Int32Array): boolean {
  const valid = new Uint16Array(codes.length).fill(0xffff);
  let now = 0;
  for (let pc = 0; pc < codes.length; pc++) {
    now &= valid[pc]!;
    const code = codes[pc]!;
    const k = constants[pc]!;
    const kind = code & 7;
    if (kind === BPF_ST || kind === BPF_STX) now |= 1 << k;
    else if ((kind === BPF_LD || kind === BPF_LDX) && (code & 0xe0) === BPF_MEM && !(now & (1 << k))) return false;
    else if (kind === BPF_JMP) {
      const targets = (code & 0xf0) === BPF_JA ? [k] : [jumps[pc * 2]!, jumps[pc * 2 + 1]!];
      for (const target of targets) valid[pc + 1 + target]! &= now;
      now = 0xffff;
    }
  }
  return true;
}
