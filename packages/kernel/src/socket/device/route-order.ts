import type { Route, RouteTable } from '@tsv/netstack';

/** The routes of a table as ip-route(8) lists them: IPv4 by prefix, the longest first where they begin alike, then IPv6. */
export function listedRoutes({ routes }: RouteTable): Route[] {
  const ipv4 = routes.filter(({ destination }) => destination.address.isIpv4);
  const ipv6 = routes.filter(({ destination }) => !destination.address.isIpv4);
  // The sort is stable: the metrics of one prefix stay in order.
  ipv4.sort(({ destination: a }, { destination: b }) => {
    return (a.address.w3 >>> 0) - (b.address.w3 >>> 0) || b.prefixLen - a.prefixLen;
  });
  return [...ipv4, ...ipv6];
}
