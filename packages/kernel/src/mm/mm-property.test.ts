import fc from 'fast-check';
import { MREMAP_FIXED, MREMAP_MAYMOVE, PROT_NONE, PROT_READ, PROT_WRITE } from '@tsv/abi';
import { PAGE_BYTES, UsageKind } from '@tsv/platform';
import { HeapMemoryFile } from '../testing/heap-memory-file.js';
import { discardPages } from './advise.js';
import { Placement } from './map-request.js';
import { remap } from './remap.js';
import { SharedAnonymous } from './shared-anonymous.js';
import { MmFixture } from './testing/mm-fixture.js';
import { VM_SHARED } from './vma.js';

const BASE = 0x10_0000;
const PAGE_COUNT = 48;
const PROCESS_COUNT_MAX = 4;
const PROTS = [PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE];

/** What one page of one process should be. Processes that share it have the same cell. */
interface Cell {
  value: number;
}
interface ModelPage {
  cell: Cell;
  prot: number;
  isShared: boolean;
}
type Model = Map<number, ModelPage>;

interface Process {
  fixture: MmFixture;
  model: Model;
}

interface Step {
  readonly op: string;
  readonly process: number;
  readonly page: number;
  readonly count: number;
  readonly target: number;
  readonly prot: number;
  readonly byte: number;
}

const pageAddr = (page: number): number => BASE + page * PAGE_BYTES;

/** Applies steps to Mms and to models, and compares them after each. */
class Simulation {
  readonly memory = new HeapMemoryFile();
  readonly processes: Process[] = [{ fixture: new MmFixture(this.memory), model: new Map() }];

  readonly #byte = new Uint8Array(1);

  run(step: Step): void {
    const process = this.processes[step.process % this.processes.length]!;
    const count = Math.min(step.count, PAGE_COUNT - step.page);
    switch (step.op) {
      case 'map':
      case 'mapShared':
        return this.#map(process, step.page, count, PROTS[step.prot]!, step.op === 'mapShared');
      case 'unmap':
        process.fixture.mm.unmap(pageAddr(step.page), count * PAGE_BYTES);
        for (let i = 0; i < count; i++) process.model.delete(step.page + i);
        return;
      case 'protect':
        return this.#protect(process, step.page, count, PROTS[step.prot]!);
      case 'guestStore':
      case 'copyOut':
        return this.#store(process, step);
      case 'remap':
        return this.#remap(process, step.page, count, step.target, 1 + (step.byte % 8));
      case 'discard':
        return this.#discard(process, step.page, count);
      case 'fork':
        return this.#fork(process);
      default:
        return this.#exit(process);
    }
  }

  check(): void {
    for (const { fixture, model } of this.processes) {
      expect(fixture.mismatches()).toEqual([]);
      const wanted: number[] = [];
      const seen: number[] = [];
      for (let page = 0; page < PAGE_COUNT; page++) {
        const entry = model.get(page);
        const value = entry === undefined || entry.prot === PROT_NONE ? -1 : entry.cell.value;
        wanted.push(value, value);
        seen.push(this.#copyIn(fixture, pageAddr(page)), Math.max(-1, fixture.guestLoad(pageAddr(page))));
      }
      expect(seen).toEqual(wanted);
    }
  }

  end(): void {
    while (this.processes.length > 0) this.processes.pop()!.fixture.mm.decRef();
    expect(this.memory.pageCount(UsageKind.ANONYMOUS)).toBe(0);
    expect(this.memory.pageCount(UsageKind.TMPFS)).toBe(0);
  }

  /** The byte at `addr`, or -1 where it cannot be read. */
  #copyIn({ mm }: MmFixture, addr: number): number {
    return mm.copyIn(this.#byte, 0, addr, 1) === 0 ? this.#byte[0]! : -1;
  }

  #map({ fixture, model }: Process, page: number, count: number, prot: number, isShared: boolean): void {
    const len = count * PAGE_BYTES;
    const addr = fixture.map({
      addr: pageAddr(page),
      len,
      prot,
      placement: Placement.FIXED,
      flags: isShared ? VM_SHARED : 0,
      mappable: isShared ? new SharedAnonymous(this.memory, len) : null,
    });
    expect(addr).toBe(pageAddr(page));
    for (let i = 0; i < count; i++) model.set(page + i, { cell: { value: 0 }, prot, isShared });
  }

  #protect({ fixture, model }: Process, page: number, count: number, prot: number): void {
    for (let i = 0; i < count; i++) if (!model.has(page + i)) return;
    expect(fixture.mm.protect(pageAddr(page), pageAddr(page + count), prot)).toBe(0);
    for (let i = 0; i < count; i++) model.get(page + i)!.prot = prot;
  }

  #store({ fixture, model }: Process, { op, page, byte }: Step): void {
    const addr = pageAddr(page);
    const status =
      op === 'guestStore' ? fixture.guestStore(addr, byte) : fixture.mm.copyOut(addr, Uint8Array.of(byte), 0, 1);
    const wanted = model.get(page);
    const canWrite = wanted !== undefined && (wanted.prot & PROT_WRITE) !== 0;
    expect(status === 0).toBe(canWrite);
    if (canWrite) wanted.cell.value = byte;
  }

  #remap({ fixture, model }: Process, page: number, count: number, target: number, newCount: number): void {
    const first = model.get(page);
    const vma = fixture.mm.vmaAt(pageAddr(page));
    const moved = Math.min(count, newCount);
    const isWhole = vma !== null && vma.end >= pageAddr(page + moved);
    const fits = target + newCount <= PAGE_COUNT && (target >= page + count || target + newCount <= page);
    if (first === undefined || !isWhole || !fits || (first.isShared && newCount > count)) return;
    const status = remap(fixture.mm, {
      oldAddr: pageAddr(page),
      oldLen: count * PAGE_BYTES,
      newLen: newCount * PAGE_BYTES,
      flags: MREMAP_MAYMOVE | MREMAP_FIXED,
      newAddr: pageAddr(target),
      lockedBytesMax: Infinity,
    });
    if (status < 0) {
      // The tail that a shrinking call unmaps first is gone; what is left was too short.
      for (let i = moved; i < count; i++) model.delete(page + i);
      expect(vma.end).toBeLessThan(pageAddr(page + count));
      return;
    }
    for (let i = 0; i < newCount; i++) {
      const from = i < moved ? model.get(page + i)! : { cell: { value: 0 }, prot: first.prot, isShared: false };
      model.set(target + i, from);
    }
    for (let i = 0; i < count; i++) model.delete(page + i);
  }

  #discard({ fixture, model }: Process, page: number, count: number): void {
    const vma = fixture.mm.vmaAt(pageAddr(page));
    if (vma === null) return;
    const end = Math.min(vma.end, pageAddr(page + count));
    discardPages(fixture.mm, vma, pageAddr(page), end);
    fixture.mm.addressMap.commit();
    if (vma.isShared) return;
    for (let at = page; pageAddr(at) < end; at++) model.get(at)!.cell = { value: 0 };
  }

  #fork({ fixture, model }: Process): void {
    if (this.processes.length === PROCESS_COUNT_MAX) return;
    const copy: Model = new Map();
    for (const [page, entry] of model) {
      copy.set(page, { ...entry, cell: entry.isShared ? entry.cell : { ...entry.cell } });
    }
    this.processes.push({ fixture: fixture.fork(), model: copy });
  }

  #exit(process: Process): void {
    if (this.processes.length === 1) return;
    process.fixture.mm.decRef();
    this.processes.splice(this.processes.indexOf(process), 1);
  }
}

describe('Mm, against a model', () => {
  const steps = fc.array(
    fc.record<Step>({
      op: fc.constantFrom(
        ...['map', 'map', 'mapShared', 'unmap', 'protect', 'protect', 'guestStore', 'guestStore', 'guestStore'],
        ...['copyOut', 'copyOut', 'remap', 'remap', 'discard', 'fork', 'exit'],
      ),
      process: fc.nat(PROCESS_COUNT_MAX),
      page: fc.nat(PAGE_COUNT - 1),
      count: fc.integer({ min: 1, max: 16 }),
      target: fc.nat(PAGE_COUNT - 1),
      prot: fc.nat(PROTS.length - 1),
      byte: fc.integer({ min: 1, max: 255 }),
    }),
    { minLength: 10, maxLength: 60 },
  );

  it('guest and kernel see what they should, and the platform has mapped what the lists say', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const simulation = new Simulation();
        for (const step of list) {
          simulation.run(step);
          simulation.check();
        }
        simulation.end();
      }),
      { numRuns: Number(process.env['TSV_FUZZ_RUNS'] ?? 60) },
    );
  }, 600_000);
});
