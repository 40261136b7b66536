"""Prints what options of datagram sockets and their control messages do: the same natively and in a sandbox. Run in a
network namespace of its own."""
import errno
import select
import socket
import struct
import subprocess
import time

SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
SOL_IP, SOL_IPV6 = socket.SOL_IP, socket.IPPROTO_IPV6
IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_RECVOPTS, IP_RECVORIGDSTADDR = 8, 11, 12, 13, 6, 20
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IPV6_RECVERR = 10, 23, 25
SO_TIMESTAMPING, SO_TIMESTAMP, SO_TIMESTAMPNS = 37, 29, 35
SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_NOFCS, SO_LOCK_FILTER = 46, 69, 70, 43, 44
SO_MAX_PACING_RATE, SO_INCOMING_CPU, SO_INCOMING_NAPI_ID, SO_ZEROCOPY, SO_BUF_LOCK, SO_RCVMARK = 47, 49, 56, 60, 72, 75
MSG_ERRQUEUE = 0x2000
V4, V6 = '127.0.0.1', '::1'


def show(name, call):
    try:
        result = call()
    except OSError as error:
        result = errno.errorcode.get(error.errno, str(error))
    print(f'{name}: {result}')


def udp(family=socket.AF_INET, port=0):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((V4 if family == socket.AF_INET else V6, port))
    sock.settimeout(5)
    return sock


def controls(ancillary):
    return [(level, kind, data.hex()) for level, kind, data in ancillary]


def pair(family=socket.AF_INET):
    receiver, sender = udp(family), udp(family)
    return receiver, sender, receiver.getsockname()


def receive(sock, size=70000, control=1000, flags=0):
    data, ancillary, got, address = sock.recvmsg(size, control, flags)
    return len(data), controls(ancillary), hex(got), address[0] if address else address


def segments():
    for family in (socket.AF_INET, socket.AF_INET6):
        receiver, sender, to = pair(family)
        receiver.settimeout(0.3)

        def sent(value, data, flags=0):
            return sender.sendmsg([data], [(SOL_UDP, UDP_SEGMENT, value)] if value else [], flags, to)

        def lengths():
            found = []
            try:
                while True:
                    found.append(receive(receiver))
            except (TimeoutError, socket.timeout):
                return found

        for value, data in (
            (struct.pack('H', 100), b'x' * 250),
            (struct.pack('H', 100), b'x' * 100),
            (struct.pack('H', 100), b'x' * 50),
            (struct.pack('H', 0), b'x' * 50),
            (struct.pack('H', 1), b'x' * 64),
            (struct.pack('H', 1), b'x' * 200),
            (struct.pack('H', 65000), b'x' * 65507),
            (struct.pack('I', 100), b'x' * 250),
            (b'x', b'x' * 250),
        ):
            show(f'segment {value.hex()} {len(data)}', lambda: sent(value, data))
        print(lengths())
        for value in (-1, 0, 100, 65535, 65536):
            show(f'UDP_SEGMENT {value}', lambda: sender.setsockopt(SOL_UDP, UDP_SEGMENT, value))
            show('UDP_SEGMENT is', lambda: sender.getsockopt(SOL_UDP, UDP_SEGMENT))
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
        show('by option', lambda: sender.sendto(b'y' * 2500, to))
        show('by message', lambda: sent(struct.pack('H', 2000), b'y' * 2500))
        print(lengths())
        for value in (1, 7):
            receiver.setsockopt(SOL_UDP, UDP_GRO, value)
            print('UDP_GRO is', receiver.getsockopt(SOL_UDP, UDP_GRO))
        show('to GRO', lambda: sender.sendto(b'y' * 2500, to))
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
        show('single', lambda: sender.sendto(b'y' * 900, to))
        show('single', lambda: sender.sendto(b'y' * 900, to))
        print(lengths())
        show('to GRO', lambda: sent(struct.pack('H', 500), b'y' * 1300))
        show('small', lambda: receive(receiver, 700))
        print(lengths())
        show('held', lambda: sender.sendto(b'z' * 300, socket.MSG_MORE, to))
        show('end', lambda: sent(struct.pack('H', 200), b'z' * 300))
        print(lengths())


def packet_info():
    receiver, sender, to = pair()
    for option in (IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR):
        show(f'set {option}', lambda: receiver.setsockopt(SOL_IP, option, 1))
        show(f'get {option}', lambda: receiver.getsockopt(SOL_IP, option))
    del to
    to = (V4, receiver.getsockname()[1])

    def ask(name, *ancillary):
        def call():
            sender.sendmsg([b'data'], list(ancillary), 0, to)
            length, got, flags, peer = receive(receiver)
            return length, [entry for entry in got if entry[1] != IP_RECVORIGDSTADDR], flags, peer

        show(name, call)

    ask('plain')
    ask('ttl', (SOL_IP, socket.IP_TTL, struct.pack('i', 7)))
    ask('ttl 0', (SOL_IP, socket.IP_TTL, struct.pack('i', 0)))
    ask('ttl 256', (SOL_IP, socket.IP_TTL, struct.pack('i', 256)))
    ask('ttl -1', (SOL_IP, socket.IP_TTL, struct.pack('i', -1)))
    ask('ttl short', (SOL_IP, socket.IP_TTL, b'\x07'))
    ask('tos', (SOL_IP, socket.IP_TOS, struct.pack('i', 0x10)))
    ask('tos byte', (SOL_IP, socket.IP_TOS, b'\x08'))
    ask('tos 256', (SOL_IP, socket.IP_TOS, struct.pack('i', 256)))
    ask('tos short', (SOL_IP, socket.IP_TOS, b'\x08\x00'))
    info = lambda index, source: struct.pack('i4s4s', index, socket.inet_aton(source), b'\0' * 4)
    ask('source', (SOL_IP, IP_PKTINFO, info(0, '127.0.0.5')))
    ask('device', (SOL_IP, IP_PKTINFO, info(1, '0.0.0.0')))
    ask('no device', (SOL_IP, IP_PKTINFO, info(99, '0.0.0.0')))
    ask('no source', (SOL_IP, IP_PKTINFO, info(0, '192.0.2.1')))
    ask('short', (SOL_IP, IP_PKTINFO, info(0, '127.0.0.5')[:-1]))
    ask('unknown', (SOL_IP, 200, b'data'))
    ask('options', (SOL_IP, 7, b''))
    ask('other level', (socket.IPPROTO_TCP, 1, b'data'))
    ask('ipv6 on ipv4', (SOL_IPV6, socket.IPV6_HOPLIMIT, struct.pack('i', 9)))
    ask('mark', (socket.SOL_SOCKET, 36, struct.pack('I', 9)))
    ask('mark short', (socket.SOL_SOCKET, 36, b'\0'))
    ask('transmit time', (socket.SOL_SOCKET, 61, struct.pack('Q', 1)))
    ask('timestamping', (socket.SOL_SOCKET, SO_TIMESTAMPING, struct.pack('I', 2)))
    ask('socket, unknown', (socket.SOL_SOCKET, 99, b'data'))
    show('truncated', lambda: (sender.sendto(b'data', to), receive(receiver, 70000, 20)))
    show('truncated 2', lambda: (sender.sendto(b'data', to), receive(receiver, 2, 40)))


def packet_info6():
    receiver, sender, to = pair(socket.AF_INET6)
    for option in (socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS, 2, 8, 74):
        show(f'v6 set {option}', lambda: receiver.setsockopt(SOL_IPV6, option, 1))
        show(f'v6 get {option}', lambda: receiver.getsockopt(SOL_IPV6, option))
    receiver.setsockopt(SOL_IPV6, 74, 0)

    def ask(name, *ancillary):
        show(f'v6 {name}', lambda: (sender.sendmsg([b'data'], list(ancillary), 0, to), receive(receiver)))

    ask('plain')
    for option in (2, 8):
        receiver.setsockopt(SOL_IPV6, option, 0)
    ask('plain')
    ask('hops', (SOL_IPV6, socket.IPV6_HOPLIMIT, struct.pack('i', 7)))
    ask('hops -1', (SOL_IPV6, socket.IPV6_HOPLIMIT, struct.pack('i', -1)))
    ask('hops 256', (SOL_IPV6, socket.IPV6_HOPLIMIT, struct.pack('i', 256)))
    ask('hops short', (SOL_IPV6, socket.IPV6_HOPLIMIT, b'\x07'))
    ask('class', (SOL_IPV6, socket.IPV6_TCLASS, struct.pack('i', 0x20)))
    ask('class 256', (SOL_IPV6, socket.IPV6_TCLASS, struct.pack('i', 256)))
    ask('class -2', (SOL_IPV6, socket.IPV6_TCLASS, struct.pack('i', -2)))
    info = lambda index, source: socket.inet_pton(socket.AF_INET6, source) + struct.pack('i', index)
    ask('source', (SOL_IPV6, socket.IPV6_PKTINFO, info(0, '::1')))
    ask('device', (SOL_IPV6, socket.IPV6_PKTINFO, info(1, '::')))
    ask('no device', (SOL_IPV6, socket.IPV6_PKTINFO, info(99, '::')))
    ask('no source', (SOL_IPV6, socket.IPV6_PKTINFO, info(0, '2001:db8::1')))
    ask('short', (SOL_IPV6, socket.IPV6_PKTINFO, info(0, '::1')[:-1]))
    ask('do not fragment', (SOL_IPV6, socket.IPV6_DONTFRAG, struct.pack('i', 1)))
    ask('do not fragment 2', (SOL_IPV6, socket.IPV6_DONTFRAG, struct.pack('i', 2)))
    ask('unknown', (SOL_IPV6, 200, b'data'))
    ask('ipv4 on ipv6', (SOL_IP, socket.IP_TTL, struct.pack('i', 9)))


def errors():
    for family, level, option in ((socket.AF_INET, SOL_IP, IP_RECVERR), (socket.AF_INET6, SOL_IPV6, IPV6_RECVERR)):
        probe, sock = udp(family), udp(family)
        sock.setblocking(False)
        to = probe.getsockname()
        probe.close()
        show('nothing queued', lambda: receive(sock, flags=MSG_ERRQUEUE))
        show('without', lambda: (sock.sendto(b'first', to), sock.sendto(b'second', to)))
        sock.setsockopt(level, option, 1)
        print(sock.getsockopt(level, option))
        show('send', lambda: sock.sendto(b'unwanted', to))
        show('send again', lambda: sock.sendto(b'unwanted', to))
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        print(poll.poll(100)[0][1])
        length, ancillary, flags, address = sock.recvmsg(100, 500, MSG_ERRQUEUE)
        print(bytes(length), [(level, kind, data[:16].hex(), data[16:].hex()) for level, kind, data in ancillary], hex(flags), address[0])
        show('then', lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        show('again', lambda: receive(sock, flags=MSG_ERRQUEUE))
        sock.sendto(b'unwanted', to)
        sock.setsockopt(level, option, 0)
        show('switched off', lambda: receive(sock, flags=MSG_ERRQUEUE))
        show('and', lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        sock.setsockopt(level, option, 1)
        sock.setsockopt(level, IP_MTU_DISCOVER if family == socket.AF_INET else IPV6_MTU_DISCOVER, 2)
        subprocess.run(['ip', 'link', 'set', 'lo', 'mtu', '1500'], check=True)
        receiver = udp(family)
        show('too long', lambda: sock.sendto(b'x' * 3000, receiver.getsockname()))

        def local():
            length, ancillary, flags, address = sock.recvmsg(10, 500, MSG_ERRQUEUE)
            return length, [(level, kind, data[:16].hex(), data[16:].hex()) for level, kind, data in ancillary], hex(flags), address[0]

        show('local', local)
        subprocess.run(['ip', 'link', 'set', 'lo', 'mtu', '65536'], check=True)
        tcp = socket.socket(family)
        tcp.setsockopt(level, option, 1)
        show('tcp', lambda: tcp.connect(to[:2]))
        show('tcp queue', lambda: receive(tcp, flags=MSG_ERRQUEUE))


def timestamps():
    # Linux begins to take the times of packets a little after the first socket that wants them.
    first = udp()
    first.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
    time.sleep(0.2)
    receiver, sender, to = pair()
    kinds = lambda entries: [(level, kind, len(data) // 2) for level, kind, data in entries]
    for option, value in (
        (SO_TIMESTAMP, 1), (SO_TIMESTAMPNS, 1), (SO_TIMESTAMP, 1), (SO_TIMESTAMP, 0), (SO_TIMESTAMPING, 8 | 16),
        (SO_TIMESTAMPING, 8), (SO_TIMESTAMPING, 1 << 30), (SO_TIMESTAMPING, 1 << 7), (SO_TIMESTAMPING, 0),
    ):
        show(f'{option} {value}', lambda: receiver.setsockopt(socket.SOL_SOCKET, option, value))
        print([receiver.getsockopt(socket.SOL_SOCKET, name) for name in (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING)])
        sender.sendto(b'data', to)
        print(kinds(receive(receiver)[1]))
    sender.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 2 | 16 | 128)
    sender.setblocking(False)
    sender.sendto(b'stamped', to)
    length, ancillary, flags, address = sender.recvmsg(200, 500, MSG_ERRQUEUE)
    print([(level, kind, len(data)) for level, kind, data in ancillary], hex(flags))
    print([struct.unpack('IBBBBII', data[:16]) for level, kind, data in ancillary if level == SOL_IP])
    show('id without', lambda: sender.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 128 | 16))


def accepted():
    """Options without an effect that shows."""
    options = (SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_NOFCS, SO_LOCK_FILTER, SO_MAX_PACING_RATE)
    options += (SO_INCOMING_CPU, SO_INCOMING_NAPI_ID, SO_ZEROCOPY, SO_BUF_LOCK, SO_RCVMARK)
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            for option in options:
                show(f'get {option}', lambda: sock.getsockopt(socket.SOL_SOCKET, option))
                for value in (1, 0, -1):
                    show(f'set {option} {value}', lambda: sock.setsockopt(socket.SOL_SOCKET, option, value))
                show(f'get {option}', lambda: sock.getsockopt(socket.SOL_SOCKET, option))


subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
for test in (segments, packet_info, packet_info6, errors, timestamps, accepted):
    print(f'# {test.__name__}')
    test()
