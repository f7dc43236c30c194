/** Notifications, reserved ports and deleted conntrack entries on a real kernel. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { hasErrno, type KernelEvent, type NetworkChange, openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);

/** Collects events until one satisfies the test. */
async function watchUntil(work: () => void, enough: (event: KernelEvent) => boolean): Promise<KernelEvent[]> {
  const kernel = openKernel();
  const abort = new AbortController();
  const seen: KernelEvent[] = [];
  const events = kernel.watch(abort.signal);
  work();
  for await (const event of events) {
    seen.push(event);
    if (enough(event)) abort.abort();
  }
  kernel.close();
  return seen;
}

const linkOf = (events: readonly KernelEvent[], name: string): number | undefined =>
  events.filter((event) => event.type === 'link').find((event) => event.name === name)?.index;

test(
  'creation and deletion of links, addresses, routes and nftables objects by other programs is reported',
  host,
  async () => {
    const script = `ip link add w0 type bridge; ip address add 10.5.0.1/24 dev w0; ip link set w0 up
    ip route add 10.6.0.0/16 via 10.5.0.2; nft add table ip w; nft add chain ip w c; nft add rule ip w c accept
    nft 'add set ip w s { type ipv4_addr; }'; nft 'add element ip w s { 1.1.1.1 }'; nft 'delete element ip w s { 1.1.1.1 }'
    nft delete set ip w s; nft flush chain ip w c; nft delete table ip w; ip route del 10.6.0.0/16
    sysctl -qw net.ipv4.conf.w0.forwarding=1; sysctl -qw net.ipv4.conf.w0.forwarding=0
    ip neighbour add 10.5.0.9 lladdr 02:00:00:00:00:09 dev w0; ip neighbour del 10.5.0.9 dev w0
    ip link add x0 type vxlan id 1 dstport 4789; bridge fdb add 02:00:00:00:00:08 dev x0 dst 10.5.0.8
    bridge fdb del 02:00:00:00:00:08 dev x0; ip link del x0
    ip address del 10.5.0.1/24 dev w0; ip link del w0; ip link add w1 type bridge`;
    const seen = await watchUntil(
      () => void sh(script),
      (event) => event.type === 'link' && event.name === 'w1',
    );
    const reported = new Set(
      seen.map((event) => {
        if (event.type === 'resync') return 'resync';
        if (event.type === 'link') return `${event.action} link ${event.name}`;
        if (event.type === 'address') return `${event.action} address ${event.prefix}`;
        if (event.type === 'route') return `${event.action} route ${event.to}`;
        if (event.type === 'nft') return `${event.action} ${event.what} ${event.table}`;
        if (event.type === 'netconf') return `netconf ${event.linkIndex} ${event.forwarding}`;
        return event.type === 'fdb' ? `${event.action} fdb ${event.mac}` : `${event.action} neighbour ${event.address}`;
      }),
    );
    for (const expected of [
      ...[
        'new link w0',
        'new address 10.5.0.1/24',
        'new route 10.6.0.0/16',
        'new table w',
        'new chain w',
        'new rule w',
      ],
      ...['new set w', 'new element w', 'del element w', 'del set w', 'del rule w', 'del table w'],
      ...['new neighbour 10.5.0.9', 'del neighbour 10.5.0.9', 'new fdb 02:00:00:00:00:08', 'del fdb 02:00:00:00:00:08'],
      ...[
        `netconf ${linkOf(seen, 'w0')} true`,
        `netconf ${linkOf(seen, 'w0')} false`,
        'del route 10.6.0.0/16',
        'del address 10.5.0.1/24',
        'del link w0',
      ],
    ])
      assert.ok(reported.has(expected), `${expected} in ${[...reported].join(', ')}`);
    sh('ip link del w1');
  },
);

test('an overrun is reported as resync', host, async () => {
  const seen = await watchUntil(
    () => {
      // More than the socket's buffer holds, while the event loop is blocked and cannot read.
      const elements = Array.from(
        { length: 60000 },
        (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
      );
      execFileSync('nft', ['-f', '-'], {
        input: `add table ip big\nadd set ip big s { type ipv4_addr; }\nadd element ip big s { ${elements.join(', ')} }\n`,
      });
    },
    (event) => event.type === 'resync',
  );
  assert.ok(seen.some((event) => event.type === 'resync'));
  sh('nft delete table ip big');
});

test('two watchers receive the same events; an aborted or closed one ends; the process can exit', host, async () => {
  const kernel = openKernel();
  const [first, second] = [new AbortController(), new AbortController()];
  const received: string[] = [];
  const listen = async (name: string, abort: AbortController): Promise<void> => {
    for await (const event of kernel.watch(abort.signal)) {
      if (event.type === 'link') received.push(`${name} ${event.name}`);
      if (name === 'first') abort.abort();
    }
  };
  const both = [listen('first', first), listen('second', second)];
  sh('ip link add w2 type bridge');
  await both[0];
  sh('ip link add w3 type bridge');
  while (!received.includes('second w3')) await new Promise((resolve) => setTimeout(resolve, 5));
  kernel.close();
  await both[1];
  assert.ok(received.includes('first w2') && received.includes('second w2') && !received.includes('first w3'));
  assert.equal(process.listenerCount('SIGIO'), 1, 'the handler that ignores late signals');
  const script = `import('@netyard/kernel').then(({ openKernel }) => {
    const abort = new AbortController();
    openKernel().watch(abort.signal);
    setTimeout(() => abort.abort(), 20);
  })`;
  await new Promise<void>((resolve, reject) =>
    execFile(process.execPath, ['-e', script], { timeout: 300_000 }, (error) => (error ? reject(error) : resolve())),
  );
});

test('a reserved port is in use for all other sockets, and free after close', host, async () => {
  const kernel = openKernel();
  for (const [address, family] of [
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['127.0.0.1', '0.0.0.0'],
    ['::1', '::'],
  ] as const) {
    const tcp = kernel.reservePort('tcp', address, 8080);
    const udp = kernel.reservePort('udp', address, 8080);
    for (const protocol of ['tcp', 'udp'] as const) {
      assert.throws(
        () => kernel.reservePort(protocol, family, 8080),
        (error) => hasErrno(error, 'EADDRINUSE'),
      );
    }
    const refused = await new Promise((resolve) => createServer().once('error', resolve).listen(8080, family));
    assert.ok(hasErrno(refused, 'EADDRINUSE'));
    const reset = await new Promise((resolve) =>
      connect(8080, address.includes(':') ? '::1' : '127.0.0.1').once('error', resolve),
    );
    assert.ok(hasErrno(reset, 'ECONNREFUSED'), 'nothing listens there');
    tcp.close();
    tcp.close();
    udp.close();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(8080, family, resolve));
    assert.throws(
      () => kernel.reservePort('tcp', address, 8080),
      (error) => hasErrno(error, 'EADDRINUSE'),
    );
    await new Promise((resolve) => server.close(resolve));
  }
  const any = kernel.reservePort('udp', '0.0.0.0', 0);
  assert.ok(any.port > 0);
  any.close();
  assert.throws(
    () => kernel.reservePort('tcp', '192.0.2.1', 80),
    (error) => hasErrno(error, 'EADDRNOTAVAIL'),
  );
  kernel.close();
});

test('a port with TCP connections in TIME_WAIT can be reserved', host, async () => {
  const kernel = openKernel();
  const server = createServer((client) => client.end());
  await new Promise<void>((resolve) => server.listen(8081, '127.0.0.1', resolve));
  await new Promise((resolve) => connect(8081, '127.0.0.1').resume().once('close', resolve));
  await new Promise((resolve) => server.close(resolve));
  assert.match(sh('ss -tan'), /TIME-WAIT .*:8081/);
  kernel.reservePort('tcp', '0.0.0.0', 8081).close();
  kernel.close();
});

test('conntrack entries of connections to a port are deleted, others stay', host, async () => {
  const kernel = openKernel();
  sh("nft 'table ip track { chain o { type filter hook output priority 0; ct state new accept; }; }'");
  const sockets = [53, 54].map((port) => {
    const socket = createSocket('udp4');
    socket.send('x', port, '127.0.0.1');
    return socket;
  });
  const tracked = (): string => sh('conntrack -L -p udp 2>/dev/null');
  while (!/dport=53 /.test(tracked()) || !/dport=54 /.test(tracked()))
    await new Promise((resolve) => setTimeout(resolve, 5));
  await kernel.flushConntrack([{ protocol: 'udp', port: 53, address: '127.0.0.2' }]);
  assert.match(tracked(), /dport=53 /);
  await kernel.flushConntrack([{ protocol: 'udp', port: 53, address: '127.0.0.1' }]);
  assert.doesNotMatch(tracked(), /src=127.0.0.1 dst=127.0.0.1 sport=\d+ dport=53 /);
  assert.match(tracked(), /dport=54 /);
  await kernel.flushConntrack([
    { protocol: 'udp', port: 54, address: '0.0.0.0' },
    { protocol: 'tcp', port: 54, address: '::' },
  ]);
  assert.doesNotMatch(tracked(), /sport=\d+ dport=54 /);
  for (const socket of sockets) socket.close();
  sh('nft delete table ip track');
  kernel.close();
});

test('signals do not turn a committed nftables transaction into an error', host, async () => {
  const kernel = openKernel();
  const watching = new AbortController();
  kernel.watch(watching.signal); // a watch receives SIGIO
  const table = { kind: 'nft-table', family: 'ip', name: 'signals', body: 'set s { type inet_service; }' } as const;
  await kernel.apply({ owner: 'test', objects: [table] });
  // In bursts: libuv would read an uninterrupted flood for ever when its sender has a core of its own.
  const burst = `for n in $(seq 200); do kill -IO ${process.pid} || exit; done`;
  const flood = spawn('sh', ['-c', `while :; do ${burst}; sleep 0.001; done`], { stdio: 'ignore' });
  try {
    for (let port = 1; port <= 1000; port += 1) {
      const element = { kind: 'nft-element', family: 'ip', table: 'signals', set: 's', key: String(port) } as const;
      await kernel.apply({ owner: 'test', objects: [element] });
      await new Promise(setImmediate); // libuv drops signals, including the child's exit, when they are not read
    }
  } finally {
    flood.kill('SIGKILL');
    flood.unref();
    watching.abort();
  }
  await kernel.remove({ owner: 'test', objects: [table] });
  kernel.close();
});

test('changes are reported with the process that requested them, and own ones as such', host, async () => {
  const kernel = openKernel();
  const abort = new AbortController();
  const changes = kernel.watchChanges(abort.signal);
  const bridge = { kind: 'bridge', name: 'own0', up: true } as const;
  const table = { kind: 'nft-table', family: 'ip', name: 'own', body: 'chain c { }' } as const;
  const ownAddress = { kind: 'address', link: 'own0', prefix: '10.8.0.1/24' } as const;
  await kernel.apply({ owner: 'test', objects: [bridge, ownAddress, table] });
  sh('nft add table ip other; nft add chain ip other c; nft add rule ip other c accept');
  // ip lives until the end of its input.
  const ip = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  ip.stdin.end('link add other0 type bridge\naddress add 10.7.0.1/24 dev other0\nlink add end0 type bridge\n');
  const seen: NetworkChange[] = [];
  for await (const change of changes) {
    seen.push(change);
    if (change.type === 'link' && change.name === 'end0') abort.abort();
  }
  const authorOf = (prefix: string) =>
    seen.find((change) => change.type === 'address' && change.prefix === prefix && 'author' in change);
  const own = authorOf('10.8.0.1/24');
  assert.ok(own?.type === 'address' && own.author === 'self');
  const address = authorOf('10.7.0.1/24');
  assert.ok(address?.type === 'address' && typeof address.author === 'object' && address.author.pid === ip.pid);
  const commits = seen.filter((change) => change.type === 'nft-commit').map(({ author: by }) => by);
  assert.equal(commits[0], 'self');
  assert.deepEqual(
    commits.slice(-3).map((by) => typeof by === 'object' && by.program),
    ['nft', 'nft', 'nft'],
  );
  await kernel.remove({ owner: 'test', objects: [bridge, table] });
  kernel.close();
});
