/** Larger programs of Debian's, and toolchains that are used where they are installed (`needs`). */
const sh = (name, script, more = {}) => ({ name, argv: ['bash', '-c', script], timeoutMs: 120_000, ...more });
const node = (name, script, more = {}) => ({
  name: `node: ${name}`,
  argv: [process.execPath, '-e', script],
  timeoutMs: 60_000,
  ...more,
});

export const PROGRAM_CASES = [
  node(
    'version and arithmetic',
    'console.log(process.version, process.arch, [1,2,3].reduce((a,b)=>a+b)); process.exit(9)',
  ),
  node(
    'worker_threads',
    `const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
     const shared = new Int32Array(new SharedArrayBuffer(4));
     let left = 3;
     for (let i = 0; i < 3; i++) {
       const w = new Worker("const {parentPort, workerData} = require('node:worker_threads'); for (let i = 0; i < 1000; i++) Atomics.add(workerData, 0, 1); parentPort.postMessage('done')", { eval: true, workerData: shared });
       w.on('message', (m) => { if (--left === 0) console.log(m, shared[0]); });
     }`,
  ),
  node(
    'http over a unix socket',
    `const http = require('node:http');
     const server = http.createServer((q, s) => { let n = 0; q.on('data', (d) => n += d.length).on('end', () => s.end(q.method + ' ' + q.url + ' ' + n)); });
     server.listen('http.sock', () => {
       const q = http.request({ socketPath: 'http.sock', method: 'POST', path: '/x' }, (r) => { let t = ''; r.on('data', (d) => t += d).on('end', () => { console.log(r.statusCode, t); server.close(); }); });
       q.end(Buffer.alloc(300000));
     });`,
  ),
  node(
    'child_process',
    `const cp = require('node:child_process');
     console.log(cp.execSync('echo sync').toString(), cp.spawnSync('sh', ['-c', 'exit 4']).status);
     const c = cp.spawn('cat'); c.stdout.on('data', (d) => console.log(String(d))); c.on('close', (s) => console.log('closed', s)); c.stdin.end('piped');
     const k = cp.spawn('sleep', ['60']); k.on('exit', (s, g) => console.log(s, g)); setTimeout(() => k.kill('SIGTERM'), 300);`,
    { sorted: true },
  ),
  node(
    'files, streams and zlib',
    `const fs = require('node:fs'), z = require('node:zlib'), { pipeline } = require('node:stream/promises');
     (async () => {
       fs.mkdirSync('a/b', { recursive: true }); fs.writeFileSync('a/b/f', 'x'.repeat(100000));
       await pipeline(fs.createReadStream('a/b/f'), z.createGzip(), z.createGunzip(), fs.createWriteStream('a/g'));
       console.log(fs.statSync('a/g').size, fs.readdirSync('a', { recursive: true }).sort());
       const w = fs.watch('a'); w.on('change', (t, f) => { console.log(t, f); w.close(); }); await fs.promises.writeFile('a/new', '');
       fs.rmSync('a', { recursive: true }); console.log(fs.existsSync('a'));
     })();`,
  ),
  node(
    'crypto and dns of numbers',
    `console.log(require('node:crypto').createHash('sha256').update('x').digest('hex')); require('node:dns').lookup('127.0.0.1', (e, a) => console.log(e, a));`,
  ),
  sh(
    'strace: calls, signals and exit',
    `strace -f -e trace=write,close,kill,exit_group -o log sh -c 'echo out; kill -USR1 $$'; echo $?; sed 's/^[0-9]* *//; s/kill([0-9]*/kill(PID/; s/si_pid=[0-9]*/si_pid=PID/; s/  *= / = /' log | grep -v close; strace -c -o count true && tail -1 count | awk '{print $NF}'`,
    { needs: 'strace', stderr: false },
  ),
  sh(
    'strace: children and threads',
    `strace -ff -e trace=execve,exit_group -o log sh -c '/bin/true; (exit 3); :'; ls log.* | wc -l; cat log.* | grep -c exited; strace -f -e trace=none -o log python3 -c 'import threading as t; x=[t.Thread(target=print, args=(i,)) for i in range(3)]; [(y.start(), y.join()) for y in x]'; grep -c exited log`,
    { needs: 'strace' },
  ),
  sh(
    'gdb: a core file',
    `gcc -g -O0 -pthread -o dump dump.c && ulimit -c unlimited && ./dump; echo $?; gdb -batch -nx -ex bt -ex 'printf "%s %d\\n", heap, magic_number' -ex 'info threads' -ex 'print $_siginfo.si_signo' -ex 'print $_siginfo._sifields._sigfault.si_addr' ./dump core 2>/dev/null | grep -E '^#0|^#1|^#2|heap|^\\$|^[* ] [12] ' | sed 's/0x0000[0-9a-f]*/ADDRESS/; s/Thread .*)/THREAD/'`,
    {
      needs: 'gdb',
      expect:
        /^139\n#0  innermost \(depth=2\) at dump.c:\d+\n(#0 .*\n)?#1 .* outer \(depth=1\).*\n#2 .* main \(\).*\non the heap 19088744\n\* 1 .* at dump.c:\d+\n  2 [^]*\$1 = 11\n\$2 = \(void \*\) 0x20\n$/,
    },
  ),
  sh(
    'gdb: breakpoints, steps and calls',
    `gcc -g -O0 -o hello hello.c && gdb -batch -nx -ex 'break main' -ex run -ex next -ex 'print argc + 41' -ex stepi -ex 'info registers cs ss' -ex continue ./hello 2>/dev/null | grep -v -E 'libthread|0x0|Thread debugging|process [0-9]' | sed 's/argv=0x[0-9a-f]*/argv/'`,
    { needs: 'gdb' },
  ),
  sh(
    'ipcmk, ipcs and ipcrm',
    'id() { grep -o "[0-9]*$"; }; m=$(ipcmk -M 1000 | id); s=$(ipcmk -S 3 | id); q=$(ipcmk -Q | id); for x in "-m $m" "-s $s" "-q $q"; do ipcs $x -i ${x#* } 2>/dev/null | grep -E "bytes=|nsems|qbytes|mode" | sed "s/cuid.*//; s/lpid.*//; s/cpid.*//"; ipcrm $x && echo gone; done',
  ),
  sh(
    'sqlite3',
    `sqlite3 t.db 'create table t(a); insert into t values(1),(2); select sum(a) from t; pragma integrity_check; pragma journal_mode=wal; insert into t values(5); select count(*) from t'`,
    { needs: 'sqlite3' },
  ),
  sh(
    'vim -es',
    `vi=$(command -v vim || command -v vim.tiny); $vi -es -u NONE -c 'normal ihello' -c 'wq v.txt' < /dev/null; $vi -es -u NONE -c '%s/l/L/g' -c 'wq' v.txt < /dev/null; cat v.txt`,
  ),
  sh(
    'openssl',
    'echo x | openssl dgst -sha256; openssl genrsa 1024 2>/dev/null | openssl rsa -check -noout; openssl rand -hex 8 | wc -c',
    { needs: 'openssl' },
  ),
  sh(
    'redis over a unix socket',
    `redis-server --port 0 --unixsocket $PWD/r.sock --save '' --daemonize yes --logfile r.log > /dev/null; r="redis-cli -s r.sock"; until $r ping 2>/dev/null | grep PONG; do sleep 0.1; done; $r set a 1; $r incr a; $r eval 'return redis.call("get","a")' 0; $r bgsave; until $r info persistence | grep -q rdb_bgsave_in_progress:0; do sleep 0.1; done; $r info persistence | grep last_bgsave_status; $r shutdown nosave`,
    { needs: 'redis-server' },
  ),
  sh(
    'tmux',
    `export TERM=xterm; t="tmux -S t.sock -f /dev/null"; $t new-session -d -x 80 -y 24 'PS1="> " sh'; until $t capture-pane -p | grep -m 1 '^in-tmux'; do $t send-keys 'echo in-tmux $((6*7))' Enter; sleep 0.2; done; $t split-window -d 'stty size > size; sleep 5'; until test -s size; do sleep 0.1; done; cat size; $t kill-server`,
    { needs: 'tmux' },
  ),
  sh(
    'screen',
    `export TERM=xterm SCREENDIR=$PWD/sd; mkdir -m 700 sd; screen -dmS s sh -c 'tty > /dev/null && echo hi > out; sleep 30'; until test -s out; do sleep 0.1; done; cat out; screen -ls | grep -c Detached; screen -S s -X quit; while screen -ls | grep -q Detached; do sleep 0.1; done; ls sd`,
    { needs: 'screen' },
  ),
  sh(
    'go run',
    `export HOME=$PWD GOCACHE=$PWD/cache GOTOOLCHAIN=local; printf 'package main\nimport ("fmt"; "sync")\nfunc main() { var w sync.WaitGroup; c := make(chan int, 100); for i := 0; i < 100; i++ { w.Add(1); go func(i int) { c <- i; w.Done() }(i) }; w.Wait(); close(c); s := 0; for x := range c { s += x }; fmt.Println("sum", s) }\n' > h.go; go run h.go`,
    { needs: 'go' },
  ),
  sh(
    'rustc',
    `printf 'fn main() { let h: Vec<_> = (0..4).map(|i| std::thread::spawn(move || i * i)).collect(); println!("{}", h.into_iter().map(|x| x.join().unwrap()).sum::<i32>()); }' > h.rs; export HOME=/root; rustc -O h.rs -o h && ./h`,
    { needs: 'rustc' },
  ),
  sh(
    'java',
    `java -version 2>&1 | head -1; printf 'public class H { public static void main(String[] a) throws Exception { Thread t = new Thread(() -> System.out.println("thread")); t.start(); t.join(); System.gc(); System.out.println("hello"); } }' > H.java; java -XX:TieredStopAtLevel=1 H.java`,
    { needs: 'java' },
  ),
  sh(
    'postgres over a unix socket',
    `P=$(ls -d /usr/lib/postgresql/*/bin | tail -1); test -n "$P" || exit 0; mkdir pg; chown postgres pg .; chmod 755 .; cd pg; su postgres -s /bin/bash -c "$P/initdb -D d -N > /dev/null && $P/pg_ctl -D d -w -o '-c listen_addresses= -k $PWD' -l log start > /dev/null && psql -h $PWD -d postgres -Atc 'create table t as select generate_series(1,1000) a; select sum(a) from t'; $P/pg_ctl -D d -m fast -w stop"`,
    { needs: 'psql' },
  ),
  sh(
    'bash: ulimit -v',
    `(ulimit -v 300000; ulimit -v; python3 -c "
try:
  bytearray(600 << 20); print('got it')
except MemoryError: print('no memory')")`,
  ),
  {
    name: 'bash: ^Z, jobs, fg and ^C on a pty',
    argv: [
      'python3',
      '-c',
      `
import os, pty, select, time
pid, fd = pty.fork()
if pid == 0:
  os.environ.update(PS1='$ ', TERM='dumb')
  os.execvp('bash', ['bash', '--norc', '--noprofile', '--noediting', '-i'])
seen = b''
def until(text, typed=None):
  global seen
  end = time.time() + 40
  while text not in seen:
    if not select.select([fd], [], [], end - time.time())[0]: raise SystemExit('no %r in %r' % (text, seen))
    seen += os.read(fd, 4096)
  at = seen.index(text) + len(text)
  print(seen[:at].decode().replace('\\r', ''))
  seen = seen[at:]
  if typed: os.write(fd, typed)
until(b'$ ', b'sleep 100\\n')
until(b'sleep 100')
time.sleep(0.7)
os.write(fd, b'\\x1a')
until(b'Stopped')
until(b'$ ', b'jobs\\n')
until(b'sleep 100')
until(b'$ ', b'bg\\n')
until(b'sleep 100 &')
until(b'$ ', b'fg\\n')
until(b'sleep 100')
time.sleep(0.7)
os.write(fd, b'\\x03')
until(b'$ ', b'echo status $?\\n')
until(b'status 130')
until(b'$ ', b'cat | cat\\n')
until(b'cat | cat')
time.sleep(0.7)
os.write(fd, b'typed\\n')
until(b'typed')
until(b'typed')
os.write(fd, b'\\x1a')
until(b'Stopped')
until(b'$ ', b'fg\\n')
until(b'cat | cat')
time.sleep(0.7)
os.write(fd, b'more\\n')
until(b'more')
until(b'more', b'\\x04')
until(b'$ ', b'exit 3\\n')
print(os.waitpid(pid, 0)[1])
`,
    ],
    timeoutMs: 60_000,
  },
];
