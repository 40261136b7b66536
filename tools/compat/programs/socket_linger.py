"""Prints how close(2) of a socket with SO_LINGER goes: the same natively and in a sandbox."""
import os
import signal
import socket
import struct
import threading
import time


def linger(sock, seconds):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, seconds))


def pair():
    """A client that has more to send than the peer takes, and the peer."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.bind(('127.0.0.1', 0))
    server.listen(1)
    client = socket.create_connection(server.getsockname())
    accepted = server.accept()[0]
    client.setblocking(False)
    try:
        while True:
            client.send(b'x' * 65536)
    except BlockingIOError:
        pass
    return client, accepted


def drain(sock):
    total = 0
    while data := sock.recv(65536):
        total += len(data)
    return total > 0


def timed(call):
    start = time.monotonic()
    call()
    return time.monotonic() - start


client, accepted = pair()
linger(client, 1)
print('waits for its time although it is non-blocking:', timed(lambda: os.close(client.detach())) >= 0.99)
print('the rest still comes:', drain(accepted))

client, accepted = pair()
linger(client, 600)
reader = threading.Thread(target=lambda: (time.sleep(0.3), drain(accepted)))
reader.start()
print('ends when the peer has all:', 0.29 <= timed(lambda: os.close(client.detach())) < 500)
reader.join()

client, accepted = pair()
linger(client, 600)
signal.signal(signal.SIGALRM, lambda *_: print('signal'))
signal.setitimer(signal.ITIMER_REAL, 0.3)
print('a signal ends it:', timed(lambda: os.close(client.detach())) < 500)
print('the rest still comes:', drain(accepted))

client, accepted = pair()
linger(client, 600)
other, _ = pair()
spare = client.fileno()
print('dup2 waits too:', timed(lambda: (signal.setitimer(signal.ITIMER_REAL, 0.3), os.dup2(other.fileno(), spare))) < 500)

client, accepted = pair()
linger(client, 600)
child = os.fork()
if child == 0:
    client.close()
    os._exit(0)
print('close does not wait while another descriptor is left:', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
child = os.fork()
if child == 0:
    mine = pair()
    linger(mine[0], 600)
    os._exit(7)
print('exit does not wait:', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
linger(client, 0)
client.close()
try:
    drain(accepted)
except ConnectionResetError as error:
    print('no time at all resets:', error.strerror)
