"""SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, behind rules of iptables in a network namespace of its own."""

import errno
import socket
import struct
import subprocess

SO_ORIGINAL_DST = 80


def run(*command):
    subprocess.run(command, check=True)


def tell(name, sock, level, size):
    try:
        raw = sock.getsockopt(level, SO_ORIGINAL_DST, size)
    except OSError as error:
        print(name, errno.errorcode[error.errno])
        return
    family, port = struct.unpack("=H", raw[:2])[0], struct.unpack("!H", raw[2:4])[0]
    at = 4 if family == socket.AF_INET else 8
    print(name, len(raw), socket.inet_ntop(family, raw[at : at + (4 if at == 4 else 16)]), port)


run("ip", "link", "set", "lo", "up")
run("ip", "addr", "add", "10.9.0.1/32", "dev", "lo")
for tables, address in (("iptables-legacy", "10.9.0.7"), ("ip6tables-legacy", "fd09::7")):
    rule = ["-t", "nat", "-A", "OUTPUT", "-p", "tcp"]
    run(tables, *rule, "--dport", "77", "-j", "REDIRECT", "--to-ports", "8088")
    if address[0] == "1":
        run("ip", "route", "add", address + "/32", "dev", "lo")
        run(tables, *rule, "-d", address, "-j", "DNAT", "--to-destination", "10.9.0.1:8088")

for family, host, level, size in (
    (socket.AF_INET, "127.0.0.1", socket.IPPROTO_IP, 16),
    (socket.AF_INET6, "::1", socket.IPPROTO_IPV6, 28),
):
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0" if family == socket.AF_INET else "::", 8088))
    server.listen()
    targets = [(host, 77), (host, 8088)] + ([("10.9.0.7", 99)] if family == socket.AF_INET else [])
    for target in targets:
        client = socket.create_connection(target, 10)
        accepted, _ = server.accept()
        tell(f"accepted from {target}", accepted, level, size)
        tell(f"client of {target}", client, level, size)
        tell("little room", accepted, level, size - 1)
        client.close()
        accepted.close()
    tell("listening", server, level, size)
    tell("udp", socket.socket(family, socket.SOCK_DGRAM), level, size)
    server.close()
