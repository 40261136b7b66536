"""Prints what the options of TCP sockets say, and how fast open goes: the same natively and in a sandbox."""
import errno
import select
import socket
import struct

TCP = socket.IPPROTO_TCP
FASTOPEN, CC_INFO, FASTOPEN_CONNECT, ULP, FASTOPEN_KEY, NO_COOKIE, INQ = 23, 26, 30, 31, 33, 34, 36
REPAIR_QUEUE, QUEUE_SEQ, REPAIR_OPTIONS, NOTSENT_LOWAT, REPAIR_WINDOW = 20, 21, 22, 25, 29
MSG_FASTOPEN = 0x20000000


def show(name, call):
    try:
        result = call()
    except OSError as error:
        result = errno.errorcode.get(error.errno, str(error))
    print(f'{name}: {result}')


def listening():
    made = socket.socket()
    made.bind(('127.0.0.1', 0))
    made.listen(4)
    return made


def set_and_get(sock, option, *values):
    results = []
    for value in values:
        try:
            sock.setsockopt(TCP, option, value)
            results.append(sock.getsockopt(TCP, option))
        except OSError as error:
            results.append(errno.errorcode[error.errno])
    return results


server = listening()
client = socket.create_connection(server.getsockname())
client.setsockopt(TCP, socket.TCP_CONGESTION, b'reno')
accepted = server.accept()[0]
for name, sock in (('new', socket.socket()), ('listening', server), ('connected', client)):
    print(name)
    show('fast open', lambda: set_and_get(sock, FASTOPEN, 5, 0, -1))
    show('fast open on connect', lambda: set_and_get(sock, FASTOPEN_CONNECT, 1, 0, 2, -1))
    show('no cookie', lambda: set_and_get(sock, NO_COOKIE, 1, 0, 2))
    for size in (15, 16, 32, 33):
        show(f'key of {size}', lambda: sock.setsockopt(TCP, FASTOPEN_KEY, b'k' * size))
    show('key', lambda: sock.getsockopt(TCP, FASTOPEN_KEY, 64))
    show('part of the key', lambda: sock.getsockopt(TCP, FASTOPEN_KEY, 8))
    show('input', lambda: set_and_get(sock, INQ, 1, 0, 2))
    show('not sent', lambda: set_and_get(sock, NOTSENT_LOWAT, 4096, -1, 0))
    show('part of the information', lambda: len(sock.getsockopt(TCP, socket.TCP_INFO, 104)))
    for option in (REPAIR_QUEUE, QUEUE_SEQ, REPAIR_OPTIONS, REPAIR_WINDOW, ULP):
        show(f'get {option}', lambda: sock.getsockopt(TCP, option, 20))
    for option in (REPAIR_QUEUE, QUEUE_SEQ, REPAIR_OPTIONS, REPAIR_WINDOW):
        show(f'set {option}', lambda: sock.setsockopt(TCP, option, b'\1\0\0\0' * 5))
    show('protocol above', lambda: sock.setsockopt(TCP, ULP, b'xyz'))
show('model of reno', lambda: client.getsockopt(TCP, CC_INFO, 64))
info = client.getsockopt(TCP, socket.TCP_INFO, 232)
print('sent and received:', struct.unpack_from('QQ', info, 120))
print('size of the information:', len(info))
server_info = server.getsockopt(TCP, socket.TCP_INFO, 232)
print('backlog:', struct.unpack_from('II', server_info, 24))

print('input that is left')
client.send(b'0123456789')
accepted.setsockopt(TCP, INQ, 1)
select.select([accepted], [], [])
show('after 4 of 10', lambda: accepted.recvmsg(4, 64)[:2])
show('after all', lambda: accepted.recvmsg(64, 64)[:2])
client.close()
select.select([accepted], [], [])
show('at the end', lambda: accepted.recvmsg(64, 64)[:2])

print('fast open')
unused = listening()
closed_port = unused.getsockname()
unused.close()
show('closed port', lambda: socket.socket().sendto(b'x', MSG_FASTOPEN, closed_port))
show('without an address', lambda: socket.socket().send(b'x', MSG_FASTOPEN))
show('unspecified', lambda: socket.socket().sendto(b'x', MSG_FASTOPEN | 0, ('0.0.0.0', closed_port[1])))
show('listening', lambda: server.sendto(b'x', MSG_FASTOPEN, server.getsockname()))
waiting = socket.socket()
show('that waits', lambda: waiting.sendto(b'hello', MSG_FASTOPEN, server.getsockname()))
show('comes', lambda: server.accept()[0].recv(10))
show('again', lambda: waiting.sendto(b'hello', MSG_FASTOPEN, server.getsockname()))
hasty = socket.socket()
hasty.setblocking(False)
show('that does not wait', lambda: hasty.sendto(b'hello', MSG_FASTOPEN, server.getsockname()))
show('and again', lambda: hasty.sendto(b'hello', MSG_FASTOPEN, server.getsockname()))
show('comes too', lambda: server.accept()[0].recv(10))
deferred = socket.socket()
deferred.setsockopt(TCP, FASTOPEN_CONNECT, 1)
show('on connect', lambda: deferred.connect(server.getsockname()))
show('then', lambda: deferred.send(b'hello'))
show('comes as well', lambda: server.accept()[0].recv(10))
