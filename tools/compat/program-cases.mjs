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
    'ipcmk, ipcs and ipcrm',
    'id() { grep -o "[0-9]*$"; }; m=$(ipcmk -M 1000 | id); s=$(ipcmk -S 3 | id); q=$(ipcmk -Q | id); for x in "-m $m" "-s $s" "-q $q"; do ipcs $x -i ${x#* } 2>/dev/null | grep -E "bytes=|nsems|qbytes|mode" | sed "s/cuid.*//; s/lpid.*//; s/cpid.*//"; ipcrm $x && echo gone; done',
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
