# What becomes of routes and addresses when a device goes down and comes up again, in a network namespace of its own.
ip link add va type veth peer name vb; ip link set vb up
ip addr add 10.1.0.1/24 dev va; ip addr add 10.3.0.1/24 dev va noprefixroute; ip -6 addr add fd01::1/64 dev va nodad
ip route show; ip -6 route show dev va
ip route add 10.8.0.0/16 dev va; echo $?; ip route add 10.8.0.0/16 via 10.1.0.2 dev va; echo $?
ip -6 route add fd11::/64 dev va; echo $?
ip link set va up
ip route add 10.2.0.0/16 via 10.1.0.2; ip route add default via 10.1.0.2; ip route add table 7 default via 10.1.0.2
ip -6 route add fd02::/64 via fd01::2; ip route add blackhole 10.9.0.0/16
ip route show; ip route show table 7; ip -6 route show dev va | grep -v fe80; ip -br addr show dev va | tr ' ' '\n' | grep '^10\|^fd'
ip link set va down
ip route show; ip -6 route show dev va; ip -br addr show dev va | tr ' ' '\n' | grep '^10\|^fd'
ip link set va up
ip route show; ip -6 route show dev va | grep -v fe80; ip -br addr show dev va | tr ' ' '\n' | grep '^10\|^fd'

ip link set lo up; ip addr add 10.4.0.1/32 dev lo; ip -6 addr add fd04::1/128 dev lo
ip link set lo down; ip -br addr show dev lo; ip link set lo up; ip -br addr show dev lo

ip link set va promisc on; ip link set va promisc on; ip -d link show va | grep -o 'PROMISC\|promiscuity [0-9]*'
ip link set va down; ip -d link show va | grep -o 'PROMISC\|promiscuity [0-9]*'
ip link set va promisc off; ip -d link show va | grep -o 'PROMISC\|promiscuity [0-9]*'
python3 - <<'P'
import fcntl, socket, struct, subprocess
SIOCGIFFLAGS, SIOCSIFFLAGS, SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, IFF_PROMISC = 0x8913, 0x8914, 263, 1, 1, 0x100
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
def flags():
    return struct.unpack_from('H', fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack('16sH22x', b'va', 0)), 16)[0]
def show(what):
    told = subprocess.getoutput("ip -d link show va | grep -o 'PROMISC\\|promiscuity [0-9]*'").split('\n')
    print(what, bool(flags() & IFF_PROMISC), told)
sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack('iHH8s', socket.if_nametoindex('va'), PACKET_MR_PROMISC, 0, b''))
show('by a socket')
fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack('16sH22x', b'va', flags() | IFF_PROMISC))
show('by both')
fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack('16sH22x', b'va', flags() & ~IFF_PROMISC))
show('by the socket again')
P
ip -d link show va | grep -o 'PROMISC\|promiscuity [0-9]*'
