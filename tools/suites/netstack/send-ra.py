"""Sends a router advertisement for the prefix argv[2]/64 out of the interface argv[1], RFC 4861 section 4.2."""
import socket
import struct
import sys

name, prefix = sys.argv[1:3]
index = socket.if_nametoindex(name)
header = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
option = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 1800, 0, socket.inet_pton(socket.AF_INET6, prefix))
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
sock.sendto(header + option, ("ff02::1", 0, 0, index))
