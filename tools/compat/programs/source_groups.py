"""Prints what the options of source-specific multicast return, and what sockets get of groups: the same natively and in
a sandbox. Run in a network namespace of its own."""
import ctypes
import errno
import socket
import struct
import subprocess

IP_UNBLOCK_SOURCE, IP_BLOCK_SOURCE, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP = 37, 38, 39, 40
IP_MSFILTER, IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 41, 49, 29
MCAST_JOIN_GROUP, MCAST_BLOCK_SOURCE, MCAST_UNBLOCK_SOURCE, MCAST_LEAVE_GROUP = 42, 43, 44, 45
MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_MSFILTER = 46, 47, 48
EXCLUDE, INCLUDE = 0, 1
LIBC = ctypes.CDLL(None, use_errno=True)


def show(name, call):
    try:
        result = call()
    except OSError as error:
        result = errno.errorcode.get(error.errno, str(error))
    print(f'{name}: {result}')


def set_option(sock, level, option, value):
    status = LIBC.setsockopt(sock.fileno(), level, option, value, len(value))
    if status < 0:
        raise OSError(ctypes.get_errno(), 'setsockopt')
    return status


def get_option(sock, level, option, value):
    """getsockopt(2) of an option whose value says what is asked for."""
    buffer = ctypes.create_string_buffer(value, len(value))
    length = ctypes.c_int(len(value))
    if LIBC.getsockopt(sock.fileno(), level, option, buffer, ctypes.byref(length)) < 0:
        raise OSError(ctypes.get_errno(), 'getsockopt')
    return length.value, buffer.raw[: length.value].hex()


def v4(text):
    return socket.inet_aton(text)


def mreq_source(group, source, interface='0.0.0.0'):
    return v4(group) + v4(interface) + v4(source)


def storage(text, family=None):
    if ':' in text:
        return struct.pack('HHI16sI', family or socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, text), 0).ljust(
            128, b'\0'
        )
    return struct.pack('HH4s', family or socket.AF_INET, 0, v4(text)).ljust(128, b'\0')


def group_req(group, index=0):
    return struct.pack('II', index, 0) + storage(group)


def group_source_req(group, source, index=0, family=None):
    return struct.pack('II', index, 0) + storage(group, family) + storage(source)


def msfilter(group, mode, sources, interface='0.0.0.0', count=None):
    number = len(sources) if count is None else count
    return v4(group) + v4(interface) + struct.pack('II', mode, number) + b''.join(map(v4, sources))


def group_filter(group, mode, sources, index=0, count=None):
    number = len(sources) if count is None else count
    return struct.pack('II', index, 0) + storage(group) + struct.pack('II', mode, number) + b''.join(map(storage, sources))


def udp(family=socket.AF_INET):
    return socket.socket(family, socket.SOCK_DGRAM)


def options_v4():
    group, other = '232.1.1.1', '239.1.1.1'
    level = socket.SOL_IP
    calls = [
        ('block without join', IP_BLOCK_SOURCE, mreq_source(group, '10.0.0.1')),
        ('drop source without join', IP_DROP_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1')),
        ('short', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1')[:11]),
        ('long', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1') + b'\0'),
        ('no group', IP_ADD_SOURCE_MEMBERSHIP, mreq_source('10.1.1.1', '10.0.0.1')),
        ('no interface', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1', '192.0.2.9')),
        ('add source', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1')),
        ('add it again', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1')),
        ('add another', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.2', '127.0.0.1')),
        ('block in include mode', IP_BLOCK_SOURCE, mreq_source(group, '10.0.0.1')),
        ('join in include mode', socket.IP_ADD_MEMBERSHIP, v4(group) + v4('0.0.0.0')),
        ('drop an unknown one', IP_DROP_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.9')),
        ('drop one', IP_DROP_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.1')),
        ('drop the last', IP_DROP_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.2')),
        ('drop after the last', IP_DROP_SOURCE_MEMBERSHIP, mreq_source(group, '10.0.0.2')),
        ('join', socket.IP_ADD_MEMBERSHIP, v4(other) + v4('0.0.0.0')),
        ('unblock nothing', IP_UNBLOCK_SOURCE, mreq_source(other, '10.0.0.1')),
        ('block', IP_BLOCK_SOURCE, mreq_source(other, '10.0.0.1')),
        ('block again', IP_BLOCK_SOURCE, mreq_source(other, '10.0.0.1')),
        ('add source in exclude mode', IP_ADD_SOURCE_MEMBERSHIP, mreq_source(other, '10.0.0.2')),
        ('unblock', IP_UNBLOCK_SOURCE, mreq_source(other, '10.0.0.1')),
        ('leave', socket.IP_DROP_MEMBERSHIP, v4(other) + v4('0.0.0.0')),
        ('leave again', socket.IP_DROP_MEMBERSHIP, v4(other) + v4('0.0.0.0')),
        ('mcast join short', MCAST_JOIN_GROUP, group_req(group)[:-1]),
        ('mcast join source short', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '10.0.0.1')[:-1]),
        ('mcast join source family', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '10.0.0.1', 0, 77)),
        ('mcast join source device', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '10.0.0.1', 99)),
        ('mcast join source', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '10.0.0.1', 1)),
        ('mcast block', MCAST_BLOCK_SOURCE, group_source_req(group, '10.0.0.1', 1)),
        ('mcast leave source', MCAST_LEAVE_SOURCE_GROUP, group_source_req(group, '10.0.0.1', 1)),
        ('mcast join', MCAST_JOIN_GROUP, group_req(other, 1)),
        ('mcast block it', MCAST_BLOCK_SOURCE, group_source_req(other, '10.0.0.1', 1)),
        ('mcast unblock it', MCAST_UNBLOCK_SOURCE, group_source_req(other, '10.0.0.1', 1)),
        ('mcast leave', MCAST_LEAVE_GROUP, group_req(other, 1)),
    ]
    with udp() as sock:
        for name, option, value in calls:
            show(f'v4 {name}', lambda: set_option(sock, level, option, value))
        for index in range(12):
            show(f'v4 source {index}', lambda: set_option(sock, level, IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, f'10.0.1.{index}')))


def filters_v4():
    group = '232.1.1.2'
    level = socket.SOL_IP
    with udp() as sock:
        show('get without join', lambda: get_option(sock, level, IP_MSFILTER, msfilter(group, 0, ['0.0.0.0'] * 3)))
        show('set without join', lambda: set_option(sock, level, IP_MSFILTER, msfilter(group, INCLUDE, ['10.0.0.1'])))
        show('join', lambda: set_option(sock, level, socket.IP_ADD_MEMBERSHIP, v4(group) + v4('0.0.0.0')))
        show('get joined', lambda: get_option(sock, level, IP_MSFILTER, msfilter(group, 0, ['0.0.0.0'] * 3)))
        for name, value in (
            ('short', msfilter(group, INCLUDE, [])[:15]),
            ('short list', msfilter(group, INCLUDE, ['10.0.0.1'], count=2)),
            ('too many', msfilter(group, INCLUDE, ['10.0.0.1'] * 11)),
            ('mode', msfilter(group, 2, ['10.0.0.1'])),
            ('no group', msfilter('10.0.0.1', INCLUDE, ['10.0.0.1'])),
            ('no interface', msfilter(group, INCLUDE, ['10.0.0.1'], '192.0.2.9')),
            ('include', msfilter(group, INCLUDE, ['10.0.0.1', '10.0.0.2'])),
        ):
            show(f'set {name}', lambda: set_option(sock, level, IP_MSFILTER, value))
        for name, value in (
            ('none', msfilter(group, 7, [], count=0)),
            ('one', msfilter(group, 7, ['0.0.0.0'])),
            ('three', msfilter(group, 7, ['0.0.0.0'] * 3)),
            ('short', msfilter(group, 7, [])[:12]),
            ('no group', msfilter('10.0.0.1', 7, [])),
            ('no interface', msfilter(group, 7, [], '192.0.2.9')),
        ):
            show(f'get {name}', lambda: get_option(sock, level, IP_MSFILTER, value))
        for name, value in (
            ('one', group_filter(group, 7, ['0.0.0.0'], 1)),
            ('three', group_filter(group, 7, ['0.0.0.0'] * 3, 1)),
            ('short', group_filter(group, 7, [], 1)[:-1]),
            ('device', group_filter(group, 7, [], 99)),
            ('no group', group_filter('10.0.0.1', 7, [], 1)),
            ('family', group_filter('ff05::1', 7, [], 1)),
        ):
            show(f'get mcast {name}', lambda: get_option(sock, level, MCAST_MSFILTER, value))
        for name, value in (
            ('exclude', group_filter(group, EXCLUDE, ['10.0.0.3'], 1)),
            ('short', group_filter(group, EXCLUDE, [], 1)[:-1]),
            ('short list', group_filter(group, EXCLUDE, ['10.0.0.3'], 1, 2)),
            ('too many', group_filter(group, EXCLUDE, ['10.0.0.3'] * 11, 1)),
            ('family', group_filter('ff05::1', EXCLUDE, [], 1)),
            ('family of a source', group_filter(group, EXCLUDE, ['ff05::1'], 1)),
            ('leave', group_filter(group, INCLUDE, [], 1)),
            ('after leave', group_filter(group, INCLUDE, ['10.0.0.1'], 1)),
        ):
            show(f'set mcast {name}', lambda: set_option(sock, level, MCAST_MSFILTER, value))


def options_v6():
    group, other = 'ff35::1', 'ff15::2'
    level = socket.IPPROTO_IPV6
    with udp(socket.AF_INET6) as sock:
        for name, option, value in (
            ('block without join', MCAST_BLOCK_SOURCE, group_source_req(group, '2001:db8::1', 1)),
            ('short', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 1)[:-1]),
            ('family', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '10.0.0.1', 1)),
            ('no group', MCAST_JOIN_SOURCE_GROUP, group_source_req('2001:db8::2', '2001:db8::1', 1)),
            ('device', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 99)),
            ('join source', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 1)),
            ('join it again', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 1)),
            ('join another', MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '2001:db8::2', 1)),
            ('block in include mode', MCAST_BLOCK_SOURCE, group_source_req(group, '2001:db8::2', 1)),
            ('leave source', MCAST_LEAVE_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 1)),
            ('leave an unknown one', MCAST_LEAVE_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 1)),
            ('join', MCAST_JOIN_GROUP, group_req(other, 1)),
            ('block', MCAST_BLOCK_SOURCE, group_source_req(other, '2001:db8::1', 1)),
            ('filter', MCAST_MSFILTER, group_filter(other, EXCLUDE, ['2001:db8::1', '2001:db8::2'], 1)),
            ('filter without join', MCAST_MSFILTER, group_filter('ff15::9', EXCLUDE, [], 1)),
            ('filter mode', MCAST_MSFILTER, group_filter(other, 2, ['2001:db8::1'], 1)),
            ('too many', MCAST_MSFILTER, group_filter(other, EXCLUDE, ['2001:db8::1'] * 65, 1)),
            ('at the limit', MCAST_MSFILTER, group_filter(other, EXCLUDE, ['2001:db8::1'] * 64, 1)),
            ('one more', MCAST_BLOCK_SOURCE, group_source_req(other, '2001:db8::8', 1)),
        ):
            show(f'v6 {name}', lambda: set_option(sock, level, option, value))
        show('v6 get', lambda: get_option(sock, level, MCAST_MSFILTER, group_filter(group, 7, ['::'] * 3, 1)))
        show('v6 get none', lambda: get_option(sock, level, MCAST_MSFILTER, group_filter('ff15::9', 7, [], 1)))
        show('v6 get no group', lambda: get_option(sock, level, MCAST_MSFILTER, group_filter('2001:db8::1', 7, [], 1)))
        show('v6 all', lambda: sock.getsockopt(level, IPV6_MULTICAST_ALL))


def streams():
    """TCP has no groups."""
    for family, level, group, source in (
        (socket.AF_INET, socket.SOL_IP, '232.1.1.1', '10.0.0.1'),
        (socket.AF_INET6, socket.IPPROTO_IPV6, 'ff35::1', '2001:db8::1'),
    ):
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            show('tcp join', lambda: set_option(sock, level, MCAST_JOIN_GROUP, group_req(group, 1)))
            show('tcp leave', lambda: set_option(sock, level, MCAST_LEAVE_GROUP, group_req(group, 1)))
            show('tcp source', lambda: set_option(sock, level, MCAST_JOIN_SOURCE_GROUP, group_source_req(group, source, 1)))
            show('tcp filter', lambda: set_option(sock, level, MCAST_MSFILTER, group_filter(group, INCLUDE, [source], 1)))
    with socket.socket() as sock:
        show('tcp add', lambda: set_option(sock, socket.SOL_IP, socket.IP_ADD_MEMBERSHIP, v4('239.1.1.1') + v4('0.0.0.0')))
        show('tcp drop', lambda: set_option(sock, socket.SOL_IP, socket.IP_DROP_MEMBERSHIP, v4('239.1.1.1') + v4('0.0.0.0')))
        show('tcp block', lambda: set_option(sock, socket.SOL_IP, IP_BLOCK_SOURCE, mreq_source('239.1.1.1', '10.0.0.1')))


def deliveries():
    """Who gets what two senders, 127.0.0.2 and 127.0.0.3, send to a group."""
    group, port = '232.1.1.3', 4000
    receivers = {}

    def receiver(name):
        sock = udp()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(('', port))
        sock.setblocking(False)
        receivers[name] = sock
        return sock

    set_option(receiver('include'), socket.SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, mreq_source(group, '127.0.0.2', '127.0.0.1'))
    excluding = receiver('exclude')
    set_option(excluding, socket.SOL_IP, socket.IP_ADD_MEMBERSHIP, v4(group) + v4('127.0.0.1'))
    set_option(excluding, socket.SOL_IP, IP_BLOCK_SOURCE, mreq_source(group, '127.0.0.2', '127.0.0.1'))
    set_option(receiver('join'), socket.SOL_IP, socket.IP_ADD_MEMBERSHIP, v4(group) + v4('127.0.0.1'))
    receiver('all')
    receiver('not all').setsockopt(socket.SOL_IP, IP_MULTICAST_ALL, 0)
    for source in ('127.0.0.2', '127.0.0.3'):
        with udp() as sender:
            sender.bind((source, 0))
            sender.setsockopt(socket.SOL_IP, socket.IP_MULTICAST_IF, v4('127.0.0.1'))
            sender.sendto(source.encode(), (group, port))
    for name, sock in receivers.items():
        got = []
        try:
            while True:
                got.append(sock.recv(100).decode())
        except BlockingIOError:
            pass
        print(f'{name} gets {got}')
        sock.close()


def deliveries_v6():
    group, port = 'ff11::77', 4001
    receivers = {}
    for name in ('include', 'other', 'all', 'not all'):
        sock = udp(socket.AF_INET6)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(('::', port))
        sock.setblocking(False)
        receivers[name] = sock
    level = socket.IPPROTO_IPV6
    set_option(receivers['include'], level, MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '::1', 1))
    set_option(receivers['other'], level, MCAST_JOIN_SOURCE_GROUP, group_source_req(group, '2001:db8::1', 1))
    receivers['not all'].setsockopt(level, IPV6_MULTICAST_ALL, 0)
    with udp(socket.AF_INET6) as sender:
        sender.bind(('::1', 0))
        sender.sendto(b'data', (group, port, 0, 1))
    for name, sock in receivers.items():
        try:
            print(f'v6 {name} gets {sock.recv(100)}')
        except BlockingIOError:
            print(f'v6 {name} gets nothing')
        sock.close()


subprocess.run(['ip', 'link', 'set', 'lo', 'up', 'multicast', 'on'], check=True)
subprocess.run(['ip', 'route', 'add', '224.0.0.0/4', 'dev', 'lo'], check=True)
# Linux has no route to groups of IPv6 by a device without multicast, and a sandbox needs none.
subprocess.run(['ip', '-6', 'route', 'add', 'ff11::/16', 'dev', 'lo', 'table', 'local'], check=False, stderr=subprocess.DEVNULL)
options_v4()
filters_v4()
options_v6()
streams()
deliveries()
deliveries_v6()
