# Rules, tables of routes and the look-ups that follow them, ip-rule(8), in a network namespace of its own.
ip link add d0 type veth peer name d1; ip link set d1 up; ip addr add 10.9.0.1/24 dev d0; ip link set d0 up; ip link set lo up
ip rule show; ip -6 rule show
ip rule add from 10.9.0.0/24 table 100 priority 1000
ip rule add fwmark 5/0xff lookup 200
ip rule add to 10.20.0.0/16 prohibit priority 50
ip rule add not iif d0 lookup 300 priority 70
ip -6 rule add to fd00::/8 table 7
ip rule show; ip -6 rule show
ip rule add from 10.9.0.0/24 table 100 priority 1000; echo $?
ip route add 10.50.0.0/16 via 10.9.0.9 dev d0 table 200
ip route add default via 10.9.0.8 dev d0 table 100
ip route show table 100; ip route show table 200; ip route show table all | grep 'table [12]00'
ip route get 10.20.1.1; echo $?
ip route get 10.50.1.1; echo $?
ip route get 10.50.1.1 mark 5 | head -n 1 | sed 's/ table.*src/ src/; s/ uid.*//;s/ mark.*//'
ip route get 8.8.8.8 from 10.9.0.1 | head -n 1 | cut -d' ' -f1-5
ip route del default table 100
ip rule del priority 1000; ip rule del fwmark 5/0xff; ip rule del priority 4; echo $?

ip rule flush; ip rule show
