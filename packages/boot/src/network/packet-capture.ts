import { AT_FDCWD, O_CLOEXEC, O_CREAT, O_TRUNC, O_WRONLY, errnoText } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import { close, openat2, write } from '@tsv/host';
import { PcapngObserver, PcapngWriter, Sniffer, TextObserver, type LinkEndpoint } from '@tsv/netstack';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

/** What {@link PacketCapture} writes. */
export interface CaptureOptions {
  readonly clock: Clock;
  /** Takes a line for each packet, `--log-packets`; null for none. */
  readonly say: ((line: string) => void) | null;
  /** File of the host for the packets themselves, in the pcapng format, `--pcap-log`; null for none. */
  readonly path: string | null;
}

/** Shows what goes over the links of a sandbox to its user. What a full disk does not take is lost. */
export class PacketCapture {
  readonly #options: CaptureOptions;
  readonly #fd: number;
  readonly #writer: PcapngWriter | null;

  /** Throws {@link SandboxError} when the file cannot be written. */
  constructor(options: CaptureOptions) {
    this.#options = options;
    const { path } = options;
    this.#fd = path === null ? -1 : openFile(path);
    this.#writer =
      path === null
        ? null
        : new PcapngWriter((block) => {
            write(this.#fd, block, 0, block.length);
          });
  }

  /** The link to use in the place of `link`, which is named `name`. */
  watch(name: string, link: LinkEndpoint): LinkEndpoint {
    const { clock, say } = this.#options;
    let watched = link;
    if (say !== null) {
      const observer = new TextObserver(clock, link, (line) => {
        say(`${name} ${line}`);
      });
      watched = new Sniffer(watched, observer);
    }
    if (this.#writer !== null) watched = new Sniffer(watched, new PcapngObserver(this.#writer, clock, name, link));
    return watched;
  }

  close(): void {
    if (this.#fd >= 0) close(this.#fd);
  }
}

function openFile(path: string): number {
  const fd = openat2(AT_FDCWD, toByteString(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644, 0);
  if (fd < 0) throw new SandboxError(`Cannot write packets to "${path}": ${errnoText(-fd)}`);
  return fd;
}
