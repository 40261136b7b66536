import { GUEST_CASES } from './guest-cases.mjs';
import { PROGRAM_CASES } from './program-cases.mjs';

/**
 * What is run natively and under TSV, and compared. A case is shell text (run by `sh -c` in a fresh directory with the
 * fixture files), or `argv` to run as it is. `files: true` compares the directory afterwards too; `stderr: false` when
 * messages carry process ids or addresses; `expect` (a regular expression on stdout) where a native run shows another
 * machine's state and cannot be compared; `stdin` is piped in; `sorted` when lines come in any order; `needs` a program
 * without which the case is left out; `flags` for the command; `guest` a C program of ours instead of `argv`.
 */
const sh = (name, script, more = {}) => ({ name, argv: ['sh', '-c', script], ...more });
const bash = (name, script, more = {}) => ({ name, argv: ['bash', '-c', script], ...more });
const py = (name, script, more = {}) => ({ name, argv: ['python3', '-c', script], ...more });
const busybox = (name, script, more = {}) => ({
  name: `busybox: ${name}`,
  argv: ['/bin/busybox', 'sh', '-c', script],
  ...more,
});

export const CASES = [
  ...GUEST_CASES,
  ...PROGRAM_CASES,

  // Start and exit.
  { name: 'true', argv: ['true'] },
  { name: 'false', argv: ['false'] },
  sh('exit status', 'exit 42'),
  sh('killed by a signal', 'kill -TERM $$'),
  sh('echo to stderr', 'echo out; echo err >&2'),
  { name: 'arguments and environment', argv: ['printenv', 'COMPAT'], env: { COMPAT: 'a b\tc' } },
  { name: 'exec of memory files and of files without a name', argv: ['python3', 'exec_memfd.py'] },
  { name: 'cat stdin', argv: ['cat'], stdin: 'one\ntwo\n'.repeat(5000) },
  { name: 'stdin closed', argv: ['wc', '-c'], stdin: '' },

  // busybox, static.
  busybox('echo', 'echo hello'),
  busybox('pipeline', 'seq 1 1000 | busybox grep 7 | busybox wc -l'),
  busybox('awk', "busybox seq 1 100 | busybox awk '{s+=$1} END {print s}'"),
  busybox('sed, sort, uniq', "printf 'b\\na\\nb\\n' | busybox sed s/a/c/ | busybox sort | busybox uniq -c"),
  busybox('files', 'mkdir d; echo x > d/f; cp d/f d/g; mv d/g h; ln -s h l; cat l; rm d/f; rmdir d; ls', {
    files: true,
  }),
  busybox(
    'tar and gzip',
    'busybox tar czf t.tgz data.txt; busybox tar tzf t.tgz; busybox gzip -dc t.tgz | busybox wc -c',
  ),
  busybox('md5sum', 'busybox md5sum data.txt; busybox sha256sum data.txt'),
  busybox('vi-less edit', 'busybox ed -s data.txt < /dev/null; busybox head -n 2 data.txt'),

  // GNU coreutils.
  sh('ls -la shape', "ls -la | awk '{print $1, $3, $4, $9}' | sort", { stderr: false }),
  sh('stat', "stat -c '%n %s %F %a %h' data.txt . /dev/null"),
  sh('cp, mv, ln, rm', 'cp data.txt a; cp -a a b; mv b c; ln c d; ln -s c e; rm a; readlink e; stat -c %h c', {
    files: true,
  }),
  sh(
    'mkdir -p, rmdir, touch -d',
    "mkdir -p x/y/z; touch -d '2020-01-02 03:04:05 UTC' x/f; stat -c '%Y %n' x/f; rmdir x/y/z; ls -R x",
    { files: true },
  ),
  sh('chmod and umask', "umask 027; touch f; mkdir d; chmod u+s,g-r f; stat -c '%A %n' f d"),
  sh(
    'dd',
    'dd if=/dev/zero of=z bs=4096 count=100 2>/dev/null; dd if=z bs=1 skip=10 count=5 2>/dev/null | od -c; wc -c z',
    { files: true },
  ),
  sh('truncate and sparse', 'truncate -s 1M f; stat -c %s f; truncate -s 10 f; od -c f', { files: true }),
  sh(
    'sort, uniq, cut, tr, paste, join',
    'sort -n nums.txt | uniq | head -5; cut -c1-3 data.txt | tr a-z A-Z | sort -u; paste -d, nums.txt nums.txt | tail -2',
  ),
  sh('head and tail', 'seq 1 100000 | tail -n 3; seq 1 100000 | head -n 3'),
  sh('md5 of a pipe', 'seq 1 200000 | md5sum'),
  sh('split and cat', 'seq 1 5000 > n; split -l 1000 n p.; ls p.*; cat p.* | cmp - n && echo same', { files: true }),
  sh(
    'find',
    'mkdir -p a/b c; touch a/1 a/b/2 c/3; find . -type f | sort; find . -name "[0-9]" -newer data.txt | wc -l; find a -depth -delete; ls',
  ),
  sh('xargs', 'seq 1 20 | xargs -n 5 echo; seq 1 4 | xargs -P 2 -I{} sh -c "exit 0"; echo $?'),
  sh(
    'tar',
    'mkdir d; cp data.txt d; ln -s data.txt d/l; tar cf t.tar d; tar tvf t.tar | awk "{print \\$1, \\$6}"; mkdir o; tar xf t.tar -C o; diff -r d o/d && echo same',
  ),
  sh(
    'gzip and xz',
    'gzip -k data.txt; gzip -dc data.txt.gz | cmp - data.txt && echo same; xz -k data.txt; xz -dc data.txt.xz | cmp - data.txt && echo same',
  ),
  sh(
    'grep and sed',
    "grep -n -o 'l[a-z]*' data.txt; grep -c . data.txt; sed -n '2,3p' data.txt; sed -i s/line/row/ data.txt; cat data.txt",
    { files: true },
  ),
  sh(
    'awk',
    'awk \'{n[$1]++} END {for (k in n) print k, n[k]}\' data.txt | sort; awk \'BEGIN {"echo sub" | getline x; print x; system("exit 3")}\'',
  ),
  sh('diff', 'sed s/two/TWO/ data.txt > b.txt; diff data.txt b.txt; echo $?; diff -u data.txt data.txt; echo $?'),
  sh('date and sleep', 'date -u -d @0 +%F; sleep 0.05; echo $?'),
  sh('timeout', 'timeout 0.1 sleep 5; echo $?; timeout 5 true; echo $?'),
  sh('id and uname', 'id -u; uname -s; uname -m; test "$(uname -n)" != "" && echo named'),
  sh('env, nproc, getconf', 'env -i A=1 env; getconf PAGESIZE; nproc'),
  sh('df', 'df -P / | head -1 | tr -s " "; df -P / | tail -1 | awk "{print NF, \\$6}"'),
  sh('mktemp', 'f=$(mktemp); d=$(mktemp -d); test -f $f && test -d $d && echo made; rm -r $f $d'),
  sh('errors', 'cat /nonexistent; ls /nonexistent; mkdir data.txt; rmdir /; cd data.txt'),
  sh('not found and not executable', 'nosuchcommand; echo $?; ./data.txt; echo $?', { stderr: false }),

  // bash.
  bash(
    'pipes and pipefail',
    'set -o pipefail; false | true; echo $?; echo ${PIPESTATUS[@]}; seq 3 | while read x; do echo "<$x>"; done',
  ),
  bash('here-documents and strings', 'cat <<X; cat <<< "str"; read a b <<< "1 2"; echo $b\n  in doc $((1+2))\nX\n'),
  bash('traps', 'trap "echo exit trap" EXIT; trap "echo usr1" USR1; kill -USR1 $$; (trap "echo sub" EXIT); echo end'),
  bash(
    'process substitution',
    'diff <(seq 1 3) <(seq 1 4); cat <(echo a) <(echo b); echo x | tee >(cat >&2) > /dev/null; wait; sleep 0.1',
  ),
  bash('background and wait', 'sleep 0.1 & p=$!; wait $p; echo $?; (exit 7) & wait $!; echo $?'),
  bash('wait -n', '(sleep 0.05; exit 3) & sleep 1 & wait -n; echo $?; kill %2; wait; echo done', { stderr: false }),
  bash(
    'job control',
    'set -m; sleep 5 & jobs -l | grep -c Running; kill -STOP %1; sleep 0.1; jobs | grep -c Stopped; kill -CONT %1; kill %1; wait %1; echo $?',
    { stderr: false },
  ),
  bash(
    'signals between processes',
    '(trap "echo got; exit 5" TERM; while :; do sleep 0.02; done) & sleep 0.2; kill $!; wait $!; echo $?',
  ),
  bash(
    'ulimit',
    'ulimit -n 64; ulimit -n; ulimit -c 0; ulimit -c; (ulimit -f 1; head -c 5000 /dev/zero > big; echo $?) 2>/dev/null; wc -c < big',
  ),
  bash('subshells and exec', '(cd /tmp; pwd); exec 3> out; echo three >&3; exec 3>&-; cat out; exec echo replaced', {
    files: true,
  }),
  bash(
    'arithmetic and arrays',
    'a=(1 2 3); a+=(4); echo ${a[@]: -2} ${#a[@]}; declare -A m=([x]=1); echo ${m[x]}; printf "%05.2f %x\\n" 3.14159 255',
  ),
  bash(
    'coproc and read -t',
    'coproc cat; echo hi >&${COPROC[1]}; read -u ${COPROC[0]} x; echo $x; read -t 0.1 y < <(sleep 1); echo $?',
    { stderr: false },
  ),
  bash('500 forks', 'for i in {1..500}; do (:); done; echo ok'),
  bash('globs', 'mkdir g; touch g/{a,b}{1,2}.txt; echo g/*1.txt; shopt -s globstar; echo **/*.txt'),

  // Other languages.
  {
    name: 'perl',
    argv: [
      'perl',
      '-e',
      'my %h = (a => 1); print join(",", map { "$_=$h{$_}" } keys %h), "\\n"; open(my $f, "<", "data.txt") or die; print scalar(<$f>); print `echo sub`; exit 3',
    ],
  },
  {
    name: 'perl fork and pipe',
    argv: [
      'perl',
      '-e',
      'pipe(R, W); if (my $p = fork) { close W; print <R>; waitpid($p, 0); print $? >> 8, "\\n" } else { close R; print W "child\\n"; exit 4 }',
    ],
  },
  py('python', 'import sys, math; print(sum(range(1000)), math.pi, sys.byteorder); sys.exit(5)'),
  py(
    'python subprocess',
    'import subprocess as s; print(s.run(["sh","-c","cat; exit 3"], input=b"in", capture_output=True)); print(s.check_output("echo a | tr a b", shell=True))',
  ),
  py(
    'python threads',
    'import threading, queue\nq=queue.Queue()\ndef w():\n  for i in range(1000): q.put(i)\nts=[threading.Thread(target=w) for _ in range(4)]\n[t.start() for t in ts]; [t.join() for t in ts]\nprint(q.qsize())',
  ),
  py(
    'python multiprocessing',
    'import multiprocessing as m\ndef f(x): return x*x\nif __name__=="__main__":\n  with m.get_context("fork").Pool(2) as p: print(p.map(f, range(10)))',
  ),
  py(
    'python mmap',
    'import mmap,os\nf=open("m","w+b"); f.truncate(8192)\nm=mmap.mmap(f.fileno(),8192); m[0:5]=b"hello"; m[4096:4099]=b"end"; m.flush(); m.close()\nf.seek(0); d=f.read(); print(d[:5], d[4096:4099], len(d))',
    { files: true },
  ),
  py(
    'python reads what is not in the page cache',
    'import os,threading,hashlib\nf=os.open("/lib/x86_64-linux-gnu/libc.so.6",os.O_RDONLY); end=[False]; r=set(); size=os.fstat(f).st_size\ndef stats():\n  while not end[0]: os.stat(".")\nt=threading.Thread(target=stats); t.start()\ndef read(k):\n  h=hashlib.sha1(); at=0\n  while b:=os.pread(f,50000+k,at): h.update(b); at+=len(b)\n  r.add(h.hexdigest())\ndrop=lambda: os.posix_fadvise(f,0,0,os.POSIX_FADV_DONTNEED)\nfor k in range(3):\n  drop(); s=[threading.Thread(target=read,args=(k*j,)) for j in range(3)]; [x.start() for x in s]; [x.join() for x in s]\ndrop(); b=os.read(f,size+1); end[0]=True; t.join(); print(len(b)==size==os.lseek(f,0,1), r=={hashlib.sha1(b).hexdigest()}, hashlib.sha1(b).hexdigest())',
  ),
  py(
    'python anonymous shared mmap over fork',
    'import mmap,os\nm=mmap.mmap(-1,4096)\nif os.fork()==0:\n  m[:5]=b"child"; os._exit(0)\nos.wait(); print(m[:5])',
  ),
  py(
    'python sqlite3',
    'import sqlite3\nc=sqlite3.connect("t.db"); c.execute("create table t(a,b)"); c.executemany("insert into t values(?,?)",[(i,str(i)) for i in range(1000)]); c.commit(); print(c.execute("select sum(a),count(b) from t").fetchone()); c.close(); c=sqlite3.connect("t.db"); print(c.execute("select b from t where a=77").fetchone())',
  ),
  py(
    'python tempfile',
    'import tempfile,os\nwith tempfile.TemporaryDirectory() as d:\n  p=os.path.join(d,"x"); open(p,"w").write("y"); print(os.path.exists(p), os.listdir(d))\nprint(os.path.exists(d)); t=tempfile.TemporaryFile(); t.write(b"abc"); t.seek(1); print(t.read())',
  ),
  py(
    'python select',
    'import select,os,socket\nr,w=os.pipe(); print(select.select([r],[w],[],0)[1]==[w]); os.write(w,b"x"); print(select.select([r],[],[],1)[0]==[r])\np=select.poll(); p.register(r,select.POLLIN); print(len(p.poll(10)))\ne=select.epoll(); e.register(r,select.EPOLLIN); print(e.poll(1)[0][1]); os.read(r,1); print(e.poll(0.01))',
  ),
  py(
    'python signal',
    'import signal,os,time\nsignal.signal(signal.SIGALRM,lambda s,f:print("alarm",s)); signal.setitimer(signal.ITIMER_REAL,0.05); time.sleep(0.2); signal.signal(signal.SIGUSR1,signal.SIG_IGN); os.kill(os.getpid(),signal.SIGUSR1); signal.pthread_sigmask(signal.SIG_BLOCK,[signal.SIGTERM]); os.kill(os.getpid(),signal.SIGTERM); print(signal.sigpending()); print(signal.sigtimedwait([signal.SIGTERM],1).si_signo)',
  ),
  py(
    'python unix sockets',
    'import socket,os,array\na,b=socket.socketpair(); a.send(b"hi"); print(b.recv(10)); s=socket.socket(socket.AF_UNIX); s.bind("sock"); s.listen(1); c=socket.socket(socket.AF_UNIX); c.connect("sock"); d,_=s.accept(); c.sendall(b"x"*100000 if False else b"data"); print(d.recv(10)); r,w=os.pipe(); socket.send_fds(a,[b"fd"],[r]); m,f,_,_=socket.recv_fds(b,10,2); os.write(w,b"through"); print(m, os.read(f[0],10))',
  ),
  py(
    'python asyncio',
    'import asyncio\nasync def main():\n  p=await asyncio.create_subprocess_exec("echo","hi",stdout=asyncio.subprocess.PIPE); o,_=await p.communicate(); print(o,p.returncode)\n  await asyncio.gather(*[asyncio.sleep(0.01) for _ in range(10)]); print("ok")\nasyncio.run(main())',
  ),
  py(
    'python os',
    'import os\nprint(os.sysconf("SC_PAGE_SIZE"), os.getpid()>0, os.getppid()>0, os.access("/etc/passwd",os.R_OK), sorted(os.listdir(".")), os.stat("data.txt").st_size)\nos.rename("data.txt","r"); os.symlink("r","s"); print(os.readlink("s"), os.lstat("s").st_size); fd=os.open("r",os.O_RDWR|os.O_APPEND); os.write(fd,b"more"); print(os.fstat(fd).st_size, os.lseek(fd,0,1)); print(os.pread(fd,4,0)); os.posix_fallocate(fd,0,1000); print(os.fstat(fd).st_size)',
    { files: true },
  ),
  py(
    'python fcntl locks',
    'import fcntl,os\nf=open("l","w"); fcntl.flock(f,fcntl.LOCK_EX)\nif os.fork()==0:\n  g=open("l")\n  try: fcntl.flock(g,fcntl.LOCK_SH|fcntl.LOCK_NB); print("got")\n  except BlockingIOError: print("blocked")\n  os._exit(0)\nos.wait(); fcntl.lockf(f,fcntl.LOCK_EX); print("posix")',
    { stdoutUnbuffered: true },
  ),
  sh('gcc', 'cp hello.c h.c && gcc -O2 -o h h.c && ./h a b; echo $?', { timeoutMs: 60000 }),
  sh('gcc threads', 'gcc -O1 -pthread -o t threads.c && ./t', { timeoutMs: 60000 }),
  sh('system call sites under threads, signals and mprotect', 'gcc -O1 -pthread -o s sites.c && ./s', {
    timeoutMs: 60000,
  }),
  sh('make -j2', 'make -s -j2 -f compat.mk && ./prog && make -s -f compat.mk clean && ls', { timeoutMs: 60000 }),
  sh(
    'git',
    'git init -q r && cd r && git config user.email a@b.c && git config user.name n && cp ../data.txt . && git add . && GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z" git commit -qm first && git log --format="%H %s" && echo x >> data.txt && git status --short && git diff --stat',
    { timeoutMs: 60000 },
  ),

  // Crashes.
  sh('SIGSEGV exit status', 'gcc -O0 -o crash crash.c && ./crash; echo $?', { stderr: false, timeoutMs: 60000 }),
  sh(
    'SIGABRT, SIGFPE, SIGILL',
    "sh -c 'kill -ABRT $$'; echo $?; sh -c 'kill -FPE $$'; echo $?; sh -c 'kill -ILL $$'; echo $?",
    { stderr: false },
  ),
  sh('SIGPIPE', 'yes | head -n 1; (seq 1 1000000; echo $? >&2) 2>st | head -n 1; sleep 0.1; cat st'),

  // Networks.
  { name: 'net: errors of socket calls', argv: ['python3', 'socket_errors.py'] },
  {
    name: "net: errors of calls of the host's sockets",
    argv: ['python3', 'socket_errors.py'],
    flags: ['--network=host'],
  },
  { name: "net: options of TCP of the host's sockets", argv: ['python3', 'tcp_options.py'], flags: ['--network=host'] },
  { name: 'net: options of TCP', argv: ['python3', 'tcp_options.py'] },
  { name: 'net: close that lingers', argv: ['python3', 'socket_linger.py'] },
  sh(
    'net: curl and http.server',
    'python3 -m http.server -b 127.0.0.1 8765 2> log & P=$!; while ! curl -s -o /dev/null http://127.0.0.1:8765/; do sleep 0.1; done; curl -s http://127.0.0.1:8765/data.txt | md5sum; curl -s -I http://127.0.0.1:8765/none | head -n 1; kill $P',
  ),
  sh(
    'net: node http',
    'node -e \'const h = require("http"); const s = h.createServer((q, r) => r.end(q.url)).listen(0, "::1", () => h.get({ host: "::1", port: s.address().port, path: "/p" }, (r) => r.on("data", (d) => console.log(String(d), r.statusCode)).on("end", () => s.close())))\'',
    { timeoutMs: 60000 },
  ),
  py(
    'net: asyncio and ssl',
    'import asyncio, ssl, subprocess\nsubprocess.run("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout k.pem -out c.pem -days 2", shell=True, stderr=subprocess.DEVNULL, check=True)\nserver_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH); server_side.load_cert_chain("c.pem", "k.pem")\nclient_side = ssl.create_default_context(cafile="c.pem")\nasync def echo(r, w):\n  w.write((await r.readline()).upper()); await w.drain(); w.close()\nasync def main():\n  s = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_side)\n  r, w = await asyncio.open_connection("127.0.0.1", s.sockets[0].getsockname()[1], ssl=client_side, server_hostname="localhost")\n  w.write(b"hello\\n"); print(await r.readline(), w.get_extra_info("cipher")[1]); w.close(); s.close()\nasyncio.run(main())',
    { timeoutMs: 60000 },
  ),
  sh(
    'net: socat and nc',
    'socat TCP-LISTEN:8766,bind=127.0.0.1,reuseaddr EXEC:cat & sleep 0.5; echo through | nc -q 1 127.0.0.1 8766; wait',
  ),
  sh(
    'net: redis',
    "redis-server --port 8767 --save '' --daemonize yes > /dev/null; while ! redis-cli -p 8767 ping > /dev/null 2>&1; do sleep 0.1; done; redis-cli -p 8767 set a 1; redis-cli -p 8767 incr a; redis-cli -p 8767 get a; redis-cli -p 8767 shutdown nosave",
    { stderr: false },
  ),
  sh(
    'net: nginx',
    'printf \'daemon on; pid %s/pid; error_log %s/err; events {} http { access_log off; server { listen 127.0.0.1:8768; location / { return 200 "served\\\\n"; } } }\' $PWD $PWD > n.conf; nginx -c $PWD/n.conf -p $PWD 2> /dev/null; curl -sS --retry 5 --retry-connrefused http://127.0.0.1:8768/; kill $(cat pid)',
  ),
  sh(
    'net: ping and traceroute',
    'ping -c 2 -i 0.2 127.0.0.1 | sed "s/time.*//; s/rtt.*//"; ping -6 -c 1 ::1 | sed "s/time.*//; s/rtt.*//"; traceroute -n -m 2 127.0.0.1 | awk "NR > 1 {print \\$2}"',
  ),
  sh(
    'net: ss',
    'python3 -m http.server -b 127.0.0.1 8769 > /dev/null 2>&1 & P=$!; while ! curl -s -o /dev/null http://127.0.0.1:8769/; do sleep 0.1; done; ss -tln | grep -o "LISTEN.*127.0.0.1:8769"; grep -c "0100007F:2241 00000000:0000 0A" /proc/net/tcp; kill $P',
  ),
  sh(
    'net: ip in a namespace',
    'unshare -n sh -c "ip link add va type veth peer name vb; ip addr add 10.9.0.1/24 dev va; ip link set vb up; ip link set va up; ip link set lo up; ip -4 -br addr; ip route; ip route get 10.9.0.7 | head -n 1; ip route add 10.10.0.0/16 via 10.9.0.9; ip route show 10.10.0.0/16; ip link del va; ip -br link | cut -d\\" \\" -f1"',
  ),
  {
    name: 'net: rules and tables of routes',
    argv: ['unshare', '-n', 'sh', 'ip_rules.sh'],
    stderr: false,
  },
  sh(
    'net: interfaces in /sys',
    `unshare -nm sh -c 'mount -t sysfs none /sys; ip link add va type veth peer name vb; ip link set va up; ip link set vb up; cd /sys/class/net; ls . ../../devices/virtual/net; readlink va; for d in lo va; do cd $d; cat addr_assign_type addr_len broadcast carrier dev_id duplex flags link_mode mtu name_assign_type operstate speed tx_queue_len type 2>&1; ls statistics; cd ..; done; cat lo/uevent lo/statistics/rx_bytes; readlink va/subsystem; ip link set va down; cat va/operstate va/carrier; ip link del va; ls; ls -d va'`,
  ),
  { name: 'net: links that go down and up', argv: ['unshare', '-n', 'sh', 'link_down.sh'], stderr: false },
  { name: 'net: a bridge between namespaces', argv: ['unshare', '-n', 'bash', 'ip_bridge.sh'], stderr: false },
  { name: 'net: original destinations', argv: ['unshare', '-n', 'python3', 'original_dst.py'] },
  { name: 'net: controls of datagrams', argv: ['unshare', '-n', 'python3', 'datagram_controls.py'], stderr: false },
  { name: 'net: sources of groups', argv: ['unshare', '-n', 'python3', 'source_groups.py'] },
  { name: 'net: ifconfig and route', argv: ['unshare', '-n', 'bash', 'ifconfig.sh'], needs: 'ifconfig' },
  { name: 'net: conntrack', argv: ['unshare', '-n', 'bash', 'conntrack.sh'], stderr: false, needs: 'conntrack' },
  { name: 'net: events of devices', argv: ['unshare', '-n', 'python3', 'uevents.py'] },
  { name: 'net: tcpdump', argv: ['unshare', '-n', 'sh', 'capture.sh'], stderr: false, needs: 'tcpdump' },
  sh(
    'net: groups in /proc',
    `unshare -n sh -c "ip link set lo up; cat /proc/net/igmp; grep -o 'ff020*1  .*' /proc/net/igmp6; cat /proc/net/dev_mcast; ip -4 maddr show dev lo"`,
  ),
  sh(
    'net: iptables',
    'unshare -n sh -c "ip link set lo up; iptables-legacy -A OUTPUT -p tcp --dport 99 -j REJECT; iptables-legacy -t nat -A OUTPUT -p tcp --dport 77 -j REDIRECT --to-ports 88; iptables-legacy -S; iptables-legacy -t nat -S; iptables-legacy -D OUTPUT 1; iptables-legacy -S OUTPUT"',
  ),
  sh('net: getent', 'getent hosts localhost | tr -s " "; getent services http/tcp | tr -s " "', { stderr: false }),

  // What the kernel tells of itself.
  sh('ps', 'ps aux | head -1; ps -o comm= -p $$; ps -ef | grep -c "[p]s -ef"', {
    expect: /^USER +PID %CPU.*\nsh\n2\n$/,
  }),
  sh('top', 'TERM=dumb top -bn1 | head -7 | cut -d" " -f1', {
    expect: /^top\nTasks:\n%Cpu\(s\):.*\n[KMG]iB\n[KMG]iB\n/,
  }),
  sh('free', 'free | awk "{print NF}"', { expect: /^6\n7\n4\n$/ }),
  sh('mount', 'mount | grep -c " on / "; mount | grep -c "proc on /proc type proc"', { expect: /^1\n1\n$/ }),
  sh(
    'proc/self',
    'cat /proc/self/comm; tr "\\0" " " < /proc/self/cmdline; readlink /proc/self/exe | xargs basename; grep -c . /proc/self/maps | awk "{print \\$1 > 5}"; ls /proc/self/fd/0; awk "/^Name/" /proc/self/status',
  ),
  {
    name: 'pidfd_send_signal by a directory of /proc',
    argv: [
      'python3',
      '-c',
      `import os, signal, subprocess
signal.signal(signal.SIGUSR1, lambda *_: print('caught'))
def send(path, signo):
    fd = os.open(path, os.O_DIRECTORY)
    try: signal.pidfd_send_signal(fd, signo)
    except OSError as error: print(path.split('/')[1], error.strerror)
    return fd
send('/proc/self', signal.SIGUSR1)
send(f'/proc/self/task/{os.getpid()}', signal.SIGUSR1)
send('/usr', signal.SIGUSR1)
child = subprocess.Popen(['sleep', '60'])
fd = send(f'/proc/{child.pid}', signal.SIGTERM)
print(child.wait())
try: signal.pidfd_send_signal(fd, 0)
except OSError as error: print(error.strerror)`,
    ],
  },
  sh(
    'CPUs as lscpu, taskset and status tell them',
    "lscpu > /dev/null; echo $?; lscpu -p=CPU,NODE | grep -v '#'; taskset -c 1 grep Cpus_allowed /proc/self/status; cat /sys/devices/system/node/node0/cpumap",
  ),
  sh(
    'proc/meminfo and cpuinfo',
    'grep -c "^MemTotal" /proc/meminfo; grep -c ^processor /proc/cpuinfo; cat /proc/sys/kernel/ostype; head -c 4 /proc/uptime | tr 0-9 n | head -c 1',
  ),
  sh(
    'devices',
    'head -c 5 /dev/zero | od -c; echo x > /dev/null; head -c 8 /dev/urandom | wc -c; echo x > /dev/full; echo $?',
    { stderr: false },
  ),
  py(
    'pty',
    'import pty,os\npid,fd=pty.fork()\nif pid==0:\n  os.execvp("sh",["sh","-c","tty | cut -d/ -f1-3; stty size; test -t 0 && echo istty; read x; echo got $x"])\nos.write(fd,b"input\\n")\nout=b""\nwhile True:\n  try: d=os.read(fd,100)\n  except OSError: break\n  if not d: break\n  out+=d\nprint(out.replace(b"\\r\\n",b"|")); print(os.waitpid(pid,0)[1])',
  ),
  sh(
    'script and stty',
    'script -qec "stty -a | head -1 | cut -d\\; -f1; stty -echo; stty -a | grep -o -- -echo\\\\b" /dev/null < /dev/null | tr -d "\\r"',
    { stderr: false },
  ),
];
