# Prints what conntrack(8) says of connections in a network namespace: the same natively and in a sandbox.
# Ports of clients are masked, times and numbers of flows left out.
ip link set lo up
iptables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP
ip6tables-legacy -A OUTPUT -m conntrack --ctstate INVALID -j DROP
iptables-legacy -t nat -A OUTPUT -p tcp --dport 77 -j REDIRECT --to-ports 8088

mask() {
  sed -E 's/^( *\[[A-Z]+\] )?([a-z0-9]+ +[0-9]+) [0-9]+ /\1\2 /; s/port=[3-6][0-9]{4}/port=PORT/g; s/ \[USERSPACE\].*//
    s/ use=[0-9]+//; s/ id=[0-9]+/ id=N/g; s/^conntrack v[^:]*: //'
}

mkfifo ready
exec 3<>ready
python3 - >&3 <<'P' &
import signal, socket
kept = []
for address, port, target in ('127.0.0.1', 8088, 77), ('::1', 8089, 8089):
    server = socket.create_server((address, port), family=socket.AF_INET6 if ':' in address else socket.AF_INET)
    kept += [server, socket.create_connection((address, target))]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 5353))
udp.sendto(b'x', ('127.0.0.1', 5454))
print('ready', flush=True)
signal.pause()
P
peers=$!
read -r _ <&3

echo 'the table'
conntrack -L -p tcp 2>&1 | mask | sort
conntrack -L -f ipv6 -p tcp 2>&1 | mask
echo 'one protocol'
conntrack -L -p udp 2>&1 | mask
echo 'count'
conntrack -C
echo 'one flow'
port=$(conntrack -L -p tcp 2>/dev/null | sed -nE 's/.*sport=([0-9]+) dport=77 .*/\1/p')
conntrack -G -p tcp -s 127.0.0.1 -d 127.0.0.1 --sport "$port" --dport 77 2>&1 | mask
conntrack -G -p tcp -s 127.0.0.1 -d 127.0.0.1 --sport 1 --dport 2 2>&1 | mask
echo 'deletions'
conntrack -D -p tcp --dport 77 2>&1 | mask
conntrack -D -p tcp --dport 77 2>&1 | mask
conntrack -F 2>&1 | mask
conntrack -C
echo 'without rights'
setpriv --bounding-set -net_admin --inh-caps -net_admin conntrack -L 2>&1 | mask

echo 'events'
conntrack -E -p udp > events 2> /dev/null &
listener=$!
# It is there when a datagram that is sent again and again shows up.
for _ in $(seq 100); do
  [ -s events ] && break
  python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 6000))'
  sleep 0.1
done
python3 - <<'P'
import socket
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
a.bind(('127.0.0.1', 6001))
b.bind(('127.0.0.1', 6002))
a.sendto(b'x', ('127.0.0.1', 6002))
b.recv(1)
b.sendto(b'x', ('127.0.0.1', 6001))
a.recv(1)
P
conntrack -D -p udp --dport 6002 > /dev/null 2>&1
for _ in $(seq 100); do grep -q 'DESTROY.*dport=6002' events && break; sleep 0.1; done
mask < events | grep dport=6002
kill $peers $listener
