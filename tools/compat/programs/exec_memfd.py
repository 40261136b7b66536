"""Runs a program from files that have no name, and that are or are not open for writing: fexecve(3), ETXTBSY."""
import fcntl
import os

ADD_SEALS, ALL_SEALS = 1033, 0xF
with open('/bin/echo', 'rb') as file:
    PROGRAM = file.read()


def memory_file(flags=0):
    fd = os.memfd_create('program', flags)
    os.write(fd, PROGRAM)
    return fd


def reopened(fd, flags):
    return os.open(f'/proc/self/fd/{fd}', flags)


def sealed():
    fd = memory_file(os.MFD_ALLOW_SEALING)
    fcntl.fcntl(fd, ADD_SEALS, ALL_SEALS)
    return fd


def open_for_writing():
    fd = memory_file()
    reopened(fd, os.O_RDWR)
    return fd


def unnamed():
    fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o755)
    os.write(fd, PROGRAM)
    return fd


WAYS = {
    'as it is': memory_file,
    'by its path': lambda: f'/proc/self/fd/{memory_file()}',
    'opened to read': lambda: reopened(memory_file(), os.O_RDONLY),
    'sealed': sealed,
    'opened to write': open_for_writing,
    'O_TMPFILE': unnamed,
}

for name, way in WAYS.items():
    child = os.fork()
    if child == 0:
        try:
            os.execve(way(), ['echo', name], {})
        except OSError as error:
            print(name, error.strerror, flush=True)
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
