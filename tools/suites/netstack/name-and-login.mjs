// Cases with servers that are more than a few lines: names through the forwarder, and a login by ssh.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DnsForwarder, EgressPolicy, IpAddress } from '@tsv/netstack';
import { createServer } from '@tsv/netstack/net';

const TYPE_A = 1;
const NAME = 'web.test';
const ADDRESS = '192.0.2.7';

/** Answers every question for an IPv4 address with {@link ADDRESS}, others with no record; RFC 1035 section 4.1. */
class OneAddress {
  askedCount = 0;

  query(message, forwarder) {
    this.askedCount++;
    let at = 12;
    while (message[at] !== 0) at += 1 + message[at];
    const isA = message[at + 2] === TYPE_A;
    const question = message.subarray(12, at + 5);
    const header = [message[0], message[1], 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0];
    // A pointer to the name, type, class, a lifetime of a minute, and four bytes.
    const record = isA ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ADDRESS.split('.').map(Number)] : [];
    forwarder.answered(Uint8Array.from([...header, ...question, ...record]));
  }

  close() {}
}

export const NAME_AND_LOGIN = [
  {
    name: 'dig and getent through the forwarder',
    needs: ['dig', 'getent', 'unshare'],
    run: ({ run, withCable }) =>
      withCable('tap', {}, async ({ stack, ours4, ours6 }, scratch) => {
        const upstream = new OneAddress();
        const policy = new EgressPolicy(stack, { allow: [NAME] });
        const forwarders = [ours4, ours6].map(
          (address) => new DnsForwarder(stack, IpAddress.parse(address), policy, upstream),
        );
        for (const server of [ours4, ours6]) {
          const dig = (name) => run('dig', ['+tries=2', '+time=20', `@${server}`, name, 'A']);
          const { stdout: known } = await dig(NAME);
          assert.match(known, /status: NOERROR/);
          assert.match(known, new RegExp(`^${NAME}\\.\\s+60\\s+IN\\s+A\\s+${ADDRESS}$`, 'm'));
          assert.match((await dig('evil.test')).stdout, /status: REFUSED/);
        }
        const resolvConf = join(scratch, 'resolv.conf');
        writeFileSync(resolvConf, `nameserver ${ours4}\noptions timeout:20\n`);
        const script = `mount --bind ${resolvConf} /etc/resolv.conf && exec getent ahostsv4 ${NAME}`;
        const { stdout } = await run('unshare', ['--mount', 'sh', '-c', script]);
        assert.match(stdout, new RegExp(`^${ADDRESS}\\s+STREAM ${NAME}$`, 'm'));
        assert.ok(upstream.askedCount >= 3, `${upstream.askedCount} questions`);
        for (const forwarder of forwarders) forwarder.close();
      }),
  },
  {
    name: 'ssh to a server behind the stack',
    needs: ['ssh', 'sshd', 'ssh-keygen', 'sha256sum'],
    run: ({ run, withCable, sumOf }) =>
      withCable('tap', {}, async ({ stack, ours4 }, scratch) => {
        const [hostKey, userKey] = [join(scratch, 'host'), join(scratch, 'user')];
        for (const key of [hostKey, userKey]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
        mkdirSync('/run/sshd', { recursive: true });
        const server = ['-i', '-f', '/dev/null', '-h', hostKey, '-o', `AuthorizedKeysFile=${userKey}.pub`];
        server.push('-o', 'StrictModes=no', '-o', 'PermitRootLogin=yes', '-o', 'UsePAM=no');
        const children = new Set();
        createServer(stack, (stream) => {
          const sshd = spawn('/usr/sbin/sshd', server, { stdio: ['pipe', 'pipe', 'ignore'] });
          children.add(sshd.on('exit', () => children.delete(sshd)));
          stream.on('close', () => sshd.kill()).pipe(sshd.stdin.on('error', () => stream.destroy()));
          sshd.stdout.pipe(stream.on('error', () => sshd.kill()));
        }).listen({ port: 22 });
        const sent = Buffer.alloc(1_000_000, 'ssh');
        writeFileSync(join(scratch, 'sent'), sent);
        const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'LogLevel=ERROR'];
        const flags = options.flatMap((option) => ['-o', option]);
        const command = `exec ssh -F none -i ${userKey} ${flags.join(' ')} root@${ours4} sha256sum < ${scratch}/sent`;
        try {
          const { stdout } = await run('sh', ['-c', command]);
          assert.equal(stdout.split(' ')[0], sumOf(sent));
        } finally {
          for (const child of children) child.kill('SIGKILL');
        }
      }),
  },
];
