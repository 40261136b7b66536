# Captures pings on the loopback interface of a network namespace of its own, and tells what it has seen.
ip link set lo up
ping -i 0.2 -c 100 127.0.0.1 > ping.log &
timeout 20 tcpdump -n -i lo -c 3 -w captured 'icmp[0] == 8 or icmp[0] == 0' 2> tcpdump.log
kill $!
wait
tcpdump -n -t -r captured 2>> tcpdump.log | sed 's/id [0-9]*, seq [0-9]*/id/' | sort -u
