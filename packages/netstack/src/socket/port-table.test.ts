import { IPV4_ANY } from '../wire/ip-address.js';
import { type PortHolder, PortTable } from './port-table.js';

function holder(): PortHolder {
  return {
    localAddress: IPV4_ANY,
    localPort: 80,
    boundNicId: 0,
    isDualStack: false,
    reusesAddress: true,
    reusesPort: false,
    uid: 0,
    isExclusive: false,
  };
}

describe('PortTable', () => {
  it.each`
    added        | removed      | left
    ${[0]}       | ${[]}        | ${[0]}
    ${[0]}       | ${[0]}       | ${undefined}
    ${[0]}       | ${[1]}       | ${[0]}
    ${[0, 0]}    | ${[]}        | ${[0]}
    ${[0, 1]}    | ${[]}        | ${[0, 1]}
    ${[0, 1]}    | ${[0]}       | ${[1]}
    ${[0, 1, 2]} | ${[1, 0, 2]} | ${undefined}
  `('has $left of $added without $removed', ({ added, removed, left }: Record<string, number[] | undefined>) => {
    const holders = [holder(), holder(), holder()];
    const table = new PortTable<PortHolder>();
    for (const index of added ?? []) table.add(holders[index]!);
    for (const index of removed ?? []) table.remove(holders[index]!);
    const on = table.on(80);
    expect(on === undefined ? undefined : [...on].map((one) => holders.indexOf(one))).toEqual(left);
  });
});
