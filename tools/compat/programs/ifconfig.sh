# Prints what ifconfig(8), route(8) and arp(8) do by ioctl(2), in a network namespace: the same natively and in a sandbox.
show() {
  ifconfig "$1" | sed -E 's/(RX|TX) (packets|errors).*//; s/ether [0-9a-f:]+/ether MAC/; s/fe80::[0-9a-f:]+/fe80::X/; s/txqueuelen [0-9]+//' |
    grep -v '^ *$'
}
addresses() { ip -6 addr show d0 scope global | sed -nE 's/.*(inet6 [^ ]+).*/\1/p'; }
ifconfig lo up
show lo
ip link add d0 type veth peer name e0
ip link set e0 up
ifconfig -a -s | awk '{ print $1, $2 }'
ifconfig d0 10.7.0.1 netmask 255.255.255.0 mtu 1400 up
show d0
ifconfig d0 10.8.0.1
show d0
echo 'IPv6'
ifconfig d0 add 2001:db8::5/64
addresses
ifconfig d0 add 2001:db8::5/64
ifconfig d0 del 2001:db8::5/64
addresses
ifconfig d0 del 2001:db8::5/64
echo 'routes'
route add -net 10.9.0.0/16 dev lo
route add -host 10.10.0.1 gw 10.8.0.2 metric 5
route -n | grep '^10.9\|^10.10' | sort
route del -net 10.9.0.0/16
route del -net 10.9.0.0/16
route -n | grep '^10.9'
echo 'what is not there'
ifconfig d0 down
show d0 | head -n 1
ifconfig none
ifconfig d0 mtu 10
arp -n
