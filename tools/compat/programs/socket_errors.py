"""Prints what socket calls return for right and wrong arguments: the same natively and in a sandbox."""
import errno
import os
import select
import socket
import struct

HOST = '127.0.0.1'


def show(name, call):
    try:
        result = call()
    except OSError as error:
        result = errno.errorcode.get(error.errno, str(error))
    except OverflowError as error:
        result = 'overflow'
    print(f'{name}: {result}')


def closed_port(family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(('', 0))
        return probe.getsockname()[1]


def tcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def listener(family=socket.AF_INET, host=HOST):
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind((host, 0))
    made.listen(4)
    return made


def pair():
    server = listener()
    client = tcp()
    client.connect(server.getsockname())
    accepted = server.accept()[0]
    server.close()
    return client, accepted


def events(sock, mask=0xffff):
    poll = select.poll()
    poll.register(sock, mask & ~0x20)
    return hex(dict(poll.poll(0)).get(sock.fileno(), 0))


def creation():
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (1, 2, 3, 4, 5, 6, 11):
            for protocol in (0, 1, 6, 17, 58, 255, 300, -1):
                if kind == 3 and protocol in (1, 6, 17, 58, 255):
                    continue
                if kind == 2 and protocol in (1, 58):
                    continue
                if protocol == 300 and kind != 1:
                    continue

                def make():
                    with socket.socket(family, kind, protocol) as made:
                        return made.type
                show(f'socket({family}, {kind}, {protocol})', make)
    show('socket(99)', lambda: socket.socket(99, 1, 0))
    show('socketpair(AF_INET)', lambda: socket.socketpair(socket.AF_INET, socket.SOCK_STREAM))


def addresses():
    with tcp() as s:
        show('bind to an address of nobody', lambda: s.bind(('192.0.2.77', 0)))
        show('bind', lambda: s.bind((HOST, 0)))
        show('bind again', lambda: s.bind((HOST, 0)))
        show('getpeername', lambda: s.getpeername())
    with listener() as s, tcp() as other:
        show('bind to a port in use', lambda: other.bind(s.getsockname()))
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        show('bind to a listening port with SO_REUSEADDR', lambda: other.bind(s.getsockname()))
    with udp() as s, udp() as other:
        s.bind((HOST, 0))
        show('UDP: bind to a port in use', lambda: other.bind(s.getsockname()))
        show('UDP: wildcard bind to a port in use', lambda: other.bind(('', s.getsockname()[1])))
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s, tcp() as other:
        s.bind(('::', 0))
        s.listen(1)
        show('a port that a dual-stack socket has', lambda: other.bind(('', s.getsockname()[1])))
        show('V6ONLY after bind', lambda: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s, tcp() as other:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(('::', 0))
        s.listen(1)
        show('a port that a V6ONLY socket has', lambda: other.bind(('', s.getsockname()[1])))
        show('V4 address with V6ONLY', lambda: other.close() or s.connect(('::ffff:127.0.0.1', 9)))
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
        show('link-local without scope', lambda: s.bind(('fe80::1', 0)))
    with udp() as s:
        a = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        show('bind with a short address', lambda: os.strerror(call_bind(s, struct.pack('=H', 2))))
        show('bind with AF_INET6', lambda: os.strerror(call_bind(s, struct.pack('=H', 10) + bytes(26))))
        show('bind with AF_UNSPEC and the wildcard', lambda: call_bind(s, struct.pack('=H', 0) + bytes(14)))
        a.close()


def call_bind(sock, raw):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if libc.bind(sock.fileno(), raw, len(raw)) else 0


def call_connect(sock, raw):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return errno.errorcode.get(ctypes.get_errno()) if libc.connect(sock.fileno(), raw, len(raw)) else 0


def connections():
    port = closed_port()
    with tcp() as s:
        show('refused', lambda: s.connect((HOST, port)))
        show('refused again', lambda: s.connect((HOST, port)))
        show('SO_ERROR after it', lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        show('then send', lambda: s.send(b'x', socket.MSG_NOSIGNAL))
        show('then recv', lambda: s.recv(1))
    with tcp() as s:
        s.setblocking(False)
        show('refused without waiting', lambda: s.connect((HOST, port)))
        select.select([], [s], [], 5)
        print('poll', events(s))
        show('SO_ERROR', lambda: errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
        show('SO_ERROR again', lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    with tcp() as s:
        show('listen without bind', lambda: s.listen(1))
        print('accept pending', events(s))
        show('connect of a listening socket', lambda: s.connect((HOST, port)))
        show('recv of a listening socket', lambda: s.recv(1))
        show('send of a listening socket', lambda: s.send(b'x', socket.MSG_NOSIGNAL))
        s.setblocking(False)
        show('accept', lambda: s.accept())
        show('shutdown of a listening socket', lambda: s.shutdown(socket.SHUT_RD))
        show('accept after it', lambda: s.accept())
    with tcp() as s:
        show('accept without listen', lambda: s.accept())
        show('shutdown without connection', lambda: s.shutdown(socket.SHUT_WR))
        show('recv without connection', lambda: s.recv(1))
        show('send without connection', lambda: s.send(b'x', socket.MSG_NOSIGNAL))
        print('poll of a new socket', events(s))
        show('AF_UNSPEC', lambda: call_connect(s, struct.pack('=H', 0) + bytes(14)))
        show('short address', lambda: call_connect(s, struct.pack('=H', 2) + bytes(6)))
        show('wrong family', lambda: call_connect(s, struct.pack('=H', 10) + bytes(26)))
        show('broadcast', lambda: s.connect(('255.255.255.255', 80)))
        show('multicast', lambda: s.connect(('224.0.0.5', 80)))


def streams():
    client, server = pair()
    print('connected', events(client), events(server))
    show('connect again', lambda: client.connect(server.getsockname()))
    show('listen when connected', lambda: client.listen(1))
    show('send', lambda: client.send(b'hello'))
    print('readable', events(server))
    show('peek', lambda: server.recv(2, socket.MSG_PEEK))
    show('peek more', lambda: server.recv(100, socket.MSG_PEEK))
    show('truncating recv', lambda: server.recv_into(bytearray(2), 2, socket.MSG_TRUNC))
    show('recv', lambda: server.recv(100))
    show('recv now', lambda: server.recv(1, socket.MSG_DONTWAIT))
    show('urgent', lambda: client.send(b'abc', socket.MSG_OOB))
    print('urgent poll', events(server))
    show('read urgent', lambda: server.recv(1, socket.MSG_OOB))
    show('read urgent again', lambda: server.recv(1, socket.MSG_OOB))
    show('read the rest', lambda: server.recv(10))
    show('shut for writing', lambda: client.shutdown(socket.SHUT_WR))
    print('half closed', events(client, 0xffff | 0x2000), events(server, 0xffff | 0x2000))
    show('recv at the end', lambda: server.recv(1))
    show('send after shutdown', lambda: client.send(b'x', socket.MSG_NOSIGNAL))
    show('the other way', lambda: server.send(b'still'))
    show('arrives', lambda: client.recv(10))
    client.close()
    server.close()
    client, server = pair()
    client.send(b'unread')
    server.close()
    select.select([client], [], [], 2)
    print('reset', events(client, 0xffff | 0x2000))
    show('recv after reset', lambda: client.recv(1))
    show('recv after that', lambda: client.recv(1))
    show('send after reset', lambda: client.send(b'x', socket.MSG_NOSIGNAL))
    client.close()
    client, server = pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    server.close()
    select.select([client], [], [], 2)
    show('lingering not at all', lambda: client.recv(1))
    client.close()
    client, server = pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    server.send(b'12345')
    print('below the low-water mark', events(client))
    server.send(b'67890')
    print('at it', events(client))
    client.close()
    server.close()


def datagrams():
    with udp() as s:
        show('send without peer', lambda: s.send(b'x'))
        show('port 0', lambda: s.sendto(b'x', (HOST, 0)))
        show('too long', lambda: s.sendto(bytes(70000), (HOST, 9)))
        show('as long as can be', lambda: s.sendto(bytes(65507), (HOST, closed_port())))
        show('one more', lambda: s.sendto(bytes(65508), (HOST, 9)))
        show('out of band', lambda: s.sendto(b'x', socket.MSG_OOB, (HOST, 9)))
        show('listen', lambda: s.listen(1))
        show('accept', lambda: s.accept())
        show('shutdown', lambda: s.shutdown(socket.SHUT_RD))
        print('poll', events(s))
    with udp() as a, udp() as b:
        a.bind((HOST, 0))
        b.connect(a.getsockname())
        show('empty', lambda: b.send(b''))
        show('receive it', lambda: len(a.recv(10)))
        b.send(b'123456789')
        show('too short a buffer', lambda: a.recvmsg(4)[::2])
        b.send(b'123456789')
        show('its whole length', lambda: a.recv_into(bytearray(4), 4, socket.MSG_TRUNC))
        b.send(b'peek')
        show('peek', lambda: a.recv(10, socket.MSG_PEEK))
        show('again', lambda: a.recv(10))
        show('nothing', lambda: a.recv(1, socket.MSG_DONTWAIT))
        show('shut reading', lambda: b.shutdown(socket.SHUT_RD))
        print('poll', events(b))
        show('recv', lambda: b.recv(1))
        show('shut writing', lambda: b.shutdown(socket.SHUT_WR))
        show('send', lambda: b.send(b'x'))
    with udp() as s:
        s.connect((HOST, closed_port()))
        show('to nobody', lambda: s.send(b'x'))
        print('poll', events(s))
        show('send', lambda: s.send(b'x'))
        show('recv', lambda: s.recv(1, socket.MSG_DONTWAIT))
        s.setsockopt(socket.IPPROTO_IP, 11, 1)
        s.send(b'quoted')
        show('error queue poll', lambda: events(s))
        data, control, flags, address = s.recvmsg(100, 512, 0x2000)
        level, kind, body = control[0]
        print('error queue', data, level, kind, struct.unpack('IBBBBII', body[:16]), body[20:24], hex(flags), address[0])
        show('empty queue', lambda: s.recvmsg(1, 512, 0x2000))


def control_messages():
    with udp() as a, udp() as b:
        a.bind((HOST, 0))
        for option in (8, 12, 13):
            a.setsockopt(socket.IPPROTO_IP, option, 1)
        b.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 33)
        b.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
        b.sendto(b'x', a.getsockname())
        print('IPv4', sorted((level, kind, bytes(body)) for level, kind, body in a.recvmsg(10, 512)[1]))
        b.sendmsg([b'y'], [(0, 2, struct.pack('i', 7)), (0, 1, struct.pack('i', 4))], 0, a.getsockname())
        print('per packet', sorted((level, kind, bytes(body)) for level, kind, body in a.recvmsg(10, 512)[1]))
        show('bad TTL', lambda: b.sendmsg([b'y'], [(0, 2, struct.pack('i', 300))], 0, a.getsockname()))
        show('unknown control', lambda: b.sendmsg([b'y'], [(0, 99, b'abcd')], 0, a.getsockname()))
        b.sendto(b'x', a.getsockname())
        print('truncated control', a.recvmsg(10, 4)[2])
    family = socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as a, socket.socket(family, socket.SOCK_DGRAM) as b:
        a.bind(('::1', 0))
        for option in (49, 51, 66):
            a.setsockopt(socket.IPPROTO_IPV6, option, 1)
        b.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 44)
        b.sendto(b'x', a.getsockname())
        print('IPv6', sorted((level, kind, bytes(body)) for level, kind, body in a.recvmsg(10, 512)[1]))


def options():
    names = {
        'stream': (tcp, [(1, n) for n in (2, 3, 4, 5, 6, 9, 10, 12, 15, 18, 19, 29, 30, 35, 36, 38, 39, 40, 60)]
                   + [(6, n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 18, 23, 25)]
                   + [(0, n) for n in (1, 2, 6, 8, 10, 11, 12, 13, 15, 19, 20, 33, 34, 49)] + [(6, 99), (0, 150), (1, 999), (77, 1)]),
        'datagram': (udp, [(1, n) for n in (2, 3, 6, 7, 8, 11, 30, 38, 39)] + [(17, n) for n in (1, 103, 104, 99)] + [(6, 1)]),
    }
    for kind, (make, wanted) in names.items():
        with make() as s:
            for level, name in wanted:
                show(f'{kind} {level} {name}', lambda: s.getsockopt(level, name))
    with tcp() as s:
        for level, name, value in [(1, 2, 1), (1, 7, 5000), (1, 8, 5000), (1, 7, 1), (1, 8, 1), (1, 9, 1), (6, 1, 1), (6, 4, 100),
                                   (6, 4, 0), (6, 4, 40000), (6, 5, 0), (6, 6, 200), (6, 7, 0), (6, 2, 20), (6, 2, 1000),
                                   (6, 18, -1), (0, 2, 0), (0, 2, 256), (0, 2, 10), (0, 1, 300), (0, 33, 300), (0, 33, -1),
                                   (0, 10, 9), (1, 12, 7), (1, 36, 5), (1, 999, 1), (6, 999, 1), (0, 999, 1)]:
            def change():
                s.setsockopt(level, name, value)
                return s.getsockopt(level, name)
            show(f'set {level} {name} {value}', change)
        show('no value', lambda: s.setsockopt(1, 2, b''))
        show('short value', lambda: s.setsockopt(1, 2, b'ab'))
        show('one byte of TTL', lambda: s.setsockopt(0, 2, b'\x07') or s.getsockopt(0, 2))
        show('congestion control', lambda: s.setsockopt(6, 13, b'nonesuch'))
        show('device', lambda: s.setsockopt(1, 25, b'nonesuch\0'))
        show('device lo', lambda: s.setsockopt(1, 25, b'lo\0') or s.getsockopt(1, 25, 16))
    with udp() as s:
        show('join no group', lambda: s.setsockopt(0, 35, socket.inet_aton('10.0.0.1') + bytes(4)))
        show('join', lambda: s.setsockopt(0, 35, socket.inet_aton('224.0.0.9') + socket.inet_aton('127.0.0.1')))
        show('join again', lambda: s.setsockopt(0, 35, socket.inet_aton('224.0.0.9') + socket.inet_aton('127.0.0.1')))
        show('leave', lambda: s.setsockopt(0, 36, socket.inet_aton('224.0.0.9') + socket.inet_aton('127.0.0.1')))
        show('leave again', lambda: s.setsockopt(0, 36, socket.inet_aton('224.0.0.9') + socket.inet_aton('127.0.0.1')))
        show('no such interface', lambda: s.setsockopt(0, 35, socket.inet_aton('224.0.0.9') + socket.inet_aton('192.0.2.55')))
        show('multicast interface', lambda: s.setsockopt(0, 32, socket.inet_aton('127.0.0.1')) or s.getsockopt(0, 32, 4))
        show('no such multicast interface', lambda: s.setsockopt(0, 32, socket.inet_aton('192.0.2.55')))


for part in (creation, addresses, connections, streams, datagrams, control_messages, options):
    print(f'== {part.__name__}')
    part()
