import { IP_TTL, IPV6_V6ONLY, SO_KEEPALIVE, SOL_IP, SOL_IPV6, SOL_SOCKET } from '@tsv/abi';
import { TcpOptions } from '../tcp/tcp-options.js';
import { TcpSettings } from '../tcp/tcp-settings.js';
import { SocketOptions } from './socket-options.js';

describe('SocketOptions.create', () => {
  it('keeps what one socket sets from the others', () => {
    const [one, other] = [SocketOptions.create(false), SocketOptions.create(false)];
    one.set(SOL_SOCKET, SO_KEEPALIVE, 1);
    one.set(SOL_IP, IP_TTL, 9);
    expect([one, other].map((o) => [o.get(SOL_SOCKET, SO_KEEPALIVE), o.get(SOL_IP, IP_TTL)])).toEqual([
      [1, 9],
      [0, 0],
    ]);
  });

  it('has options of IPv6 for its sockets only', () => {
    expect([true, false].map((isIpv6) => SocketOptions.create(isIpv6).set(SOL_IPV6, IPV6_V6ONLY, 1) === 0)).toEqual([
      true,
      false,
    ]);
  });
});

describe('TcpOptions.of', () => {
  it('gives a new socket what the settings are then, and leaves those of before as they were', () => {
    const settings = new TcpSettings();
    settings.keepIdleMs = 1000;
    const before = TcpOptions.of(settings);
    settings.keepIdleMs = 2000;
    expect([before.keepIdleMs, before.clone().keepIdleMs, TcpOptions.of(settings).keepIdleMs]).toEqual([
      1000, 1000, 2000,
    ]);
  });

  it('hands on what was set to the connections that a listener accepts, each with its own', () => {
    const listener = TcpOptions.of(new TcpSettings());
    listener.isNoDelay = true;
    const accepted = listener.clone();
    accepted.keepCount = 77;
    expect([accepted.isNoDelay, listener.keepCount === 77]).toEqual([true, false]);
  });
});
