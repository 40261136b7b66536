# Two namespaces with a bridge between them, bridge(8), in a network namespace of its own.
ip link add br0 type bridge
for n in 1 2; do
  ip link add p$n type veth peer name e$n
  ip link set p$n master br0 up
  unshare -n sleep 1000 & eval P$n=$!
done
sleep 0.3
for n in 1 2; do
  eval P=\$P$n
  ip link set e$n netns $P
  nsenter -t $P -n ip addr add 10.9.0.$n/24 dev e$n
  nsenter -t $P -n ip link set e$n up
done
ip addr add 10.9.0.254/24 dev br0
ip link set br0 up
nsenter -t $P1 -n ping -n -q -c 2 -i 0.2 -W 10 10.9.0.2 | grep received | cut -d, -f1-2
nsenter -t $P2 -n ping -n -q -c 2 -i 0.2 -W 10 10.9.0.254 | grep received | cut -d, -f1-2
ping -n -q -c 2 -i 0.2 -W 10 10.9.0.1 | grep received| cut -d, -f1-2
bridge link show | sed 's/@[^:]*//; s/^[0-9]*: //; s/state [a-z]* pri/pri/'
ip -o link show master br0 | cut -d' ' -f2 | sed 's/@.*//'
for n in 1 2; do eval P=\$P$n; M=$(nsenter -t $P -n ip -o link show e$n | sed 's/.*ether //; s/ .*//'); bridge fdb show | grep -c "$M dev p$n master br0"; done
ip link set p1 nomaster; bridge link show | cut -d' ' -f2 | sed 's/@.*//'
ip link set lo master br0; echo $?; ip link add br1 type bridge; ip link set br1 master br0; echo $?
ip link del br0; ip -o link show p2 | grep -c master; ip -o link | cut -d' ' -f2 | sed 's/@.*//'
kill $P1 $P2
