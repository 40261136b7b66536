"""Prints what a listener to NETLINK_KOBJECT_UEVENT hears of network devices: the same natively and in a sandbox."""
import socket
import subprocess

KEYS = 'ACTION', 'DEVPATH', 'SUBSYSTEM', 'INTERFACE'
listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
listener.bind((0, 1))
listener.settimeout(20)
numbers = []


def hear():
    """The next event about a device itself, which has queues with events of their own."""
    while True:
        title, *fields = listener.recv(4096).decode().rstrip('\0').split('\0')
        values = dict(field.split('=', 1) for field in fields)
        if values['SUBSYSTEM'] == 'net':
            numbers.append(int(values['SEQNUM']))
            return [title] + [values[key] for key in KEYS] + [str(int(values['IFINDEX']) > 1)]


for command, count in (
    ('ip link add br7 type bridge', 1),
    ('ip link add va7 type veth peer name vb7', 2),
    ('ip link set va7 name vc7', 1),
    ('ip link del vc7', 2),
    ('ip link del br7', 1),
):
    print(command)
    subprocess.run(command.split(), check=True)
    for event in sorted(hear() for _ in range(count)):
        print(*event)
print('in order:', numbers == sorted(set(numbers)))
