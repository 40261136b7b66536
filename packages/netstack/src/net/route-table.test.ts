import { type RouteSpec, RouteTable, RTN_BLACKHOLE } from './route-table.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

function table(...routes: [string, number, Partial<RouteSpec>?][]): RouteTable {
  const unit = new RouteTable();
  for (const [prefix, nicId, spec] of routes) unit.add({ destination: parsePrefix(prefix), nicId, ...spec });
  return unit;
}

describe('RouteTable', () => {
  const isUp = (nicId: number): boolean => nicId !== 9;
  const unit = table(
    ['0.0.0.0/0', 1],
    ['10.0.0.0/8', 2],
    ['10.1.0.0/16', 3],
    ['10.1.2.3/32', 4],
    ['10.9.0.0/16', 9],
    ['10.66.0.0/16', 9, { type: RTN_BLACKHOLE }],
    ['::/0', 5],
    ['fd00::/8', 6, { metric: 10 }],
    ['fd00::/8', 7, { metric: 5 }],
    ['fe80::/64', 1],
    ['fe80::/64', 2],
  );

  it.each`
    dst            | nicId | expected
    ${'8.8.8.8'}   | ${0}  | ${1}
    ${'10.7.7.7'}  | ${0}  | ${2}
    ${'10.1.7.7'}  | ${0}  | ${3}
    ${'10.1.2.3'}  | ${0}  | ${4}
    ${'10.1.2.3'}  | ${2}  | ${2}
    ${'10.9.0.1'}  | ${0}  | ${2}
    ${'10.66.1.1'} | ${0}  | ${9}
    ${'10.1.2.3'}  | ${8}  | ${undefined}
    ${'2001::1'}   | ${0}  | ${5}
    ${'fd00::1'}   | ${0}  | ${7}
    ${'fd00::1'}   | ${6}  | ${6}
    ${'fe80::1'}   | ${2}  | ${2}
  `('takes interface $expected to $dst, asked for $nicId', ({ dst, nicId, expected }: Row) => {
    expect(unit.lookup(IpAddress.parse(dst), nicId, isUp)?.nicId).toBe(expected);
  });

  it('refuses a second route to the same prefix with the same metric', () => {
    const routes = table(['10.0.0.0/8', 1]);
    const { generation } = routes;
    expect(routes.add({ destination: parsePrefix('10.5.5.5/8'), nicId: 2 })).toBe(false);
    expect(routes.generation).toBe(generation);
    expect(routes.add({ destination: parsePrefix('10.5.5.5/8'), nicId: 2, metric: 1 })).toBe(true);
    expect(routes.generation).toBeGreaterThan(generation);
    expect([routes.removeWhere((route) => route.nicId === 2), routes.routes.length]).toEqual([1, 1]);
  });
});

interface Row {
  dst: string;
  nicId: number;
  expected: number | undefined;
}
