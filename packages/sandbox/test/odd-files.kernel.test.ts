/** Files of the host and of containers that are not what they should be: huge, FIFOs, directories, loops of links. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
const testbed = new Testbed({ kernel });
const { hostResolvConf } = testbed.settings;

before(async () => {
  if (host.skip) return;
  sh('ip link add up0 type bridge && ip address add 192.0.2.1/24 dev up0 && ip link set up0 up');
  await testbed.networks.start([]);
});
after(async () => {
  await testbed.close();
  kernel.close();
});

/** Of holes, and longer than the longest text of Node. */
const huge = 2 ** 30;

test('a container whose hosts file is huge neither keeps others from starting nor itself', host, async () => {
  const web = await testbed.run('web');
  const proxy = await testbed.run('proxy', { links: ['web'] });
  for (const path of Object.values(proxy.files)) truncateSync(path, huge);
  await testbed.stop(web.containerId);
  const again = await testbed.start(web.containerId);
  assert.ok(again.endpoints[0]?.addresses.v4?.address);
  await testbed.networks.create({ name: 'front', driver: 'bridge' });
  await testbed.networks.connect('front', proxy.containerId, { network: 'front' });
  const shown = testbed.networks.explain('proxy').objects.flatMap((object) => (object.kind === 'file' ? object : []));
  assert.deepEqual(
    shown.filter(({ content }) => content.length > 10_000),
    [],
  );
  await testbed.networks.disconnect('front', proxy.containerId, false);

  await testbed.stop(proxy.containerId);
  const { files } = await testbed.start(proxy.containerId);
  assert.match(
    readFileSync(files.hosts, 'utf8'),
    new RegExp(`^${again.endpoints[0]?.addresses.v4?.address}\tweb `, 'm'),
  );
  assert.match(readFileSync(files.resolvConf, 'utf8'), /^nameserver /);
  for (const { containerId } of [proxy, web]) await testbed.remove(containerId);
  await testbed.networks.remove('front');
});

test("a host's resolv.conf that is not a file of text is named at a start, and blocks nothing", host, async () => {
  const text = readFileSync(hostResolvConf, 'utf8');
  const damages: [make: () => void, message: RegExp][] = [
    [() => execFileSync('mkfifo', [hostResolvConf]), /resolv\.conf is not a regular file/],
    [() => mkdirSync(hostResolvConf), /resolv\.conf is not a regular file/],
    [() => symlinkSync(hostResolvConf, hostResolvConf), /open .*resolv\.conf/],
    [() => execFileSync('truncate', ['-s', `${huge}`, hostResolvConf]), /is larger than 64 MiB/],
  ];
  for (const [make, message] of damages) {
    rmSync(hostResolvConf);
    make();
    await testbed.networks.create({ name: 'back', driver: 'bridge' });
    await assert.rejects(testbed.run('web'), message);
    await testbed.networks.remove('back');
    rmSync(hostResolvConf, { recursive: true });
    writeFileSync(hostResolvConf, text);
    await testbed.remove((await testbed.run('other')).containerId);
  }
});

test('the lines of a hosts file follow up to a length of 256 KiB', host, async () => {
  const { networks } = testbed;
  const db = await testbed.run('db');
  const app = await testbed.run('app', { links: ['db'] });
  const { hosts } = app.files;
  const text = readFileSync(hosts, 'utf8');
  const longest = text.padEnd(256 * 1024, '#\n');
  writeFileSync(hosts, `${longest}#`);
  await networks.disconnect('bridge', app.containerId, false);
  assert.equal(readFileSync(hosts, 'utf8'), `${longest}#`);
  writeFileSync(hosts, longest);
  await networks.connect('bridge', app.containerId, { network: 'bridge' });
  assert.notEqual(readFileSync(hosts, 'utf8'), longest);
  for (const { containerId } of [app, db]) await testbed.remove(containerId);
});

test("a connect that fails because of the host's resolv.conf keeps no address and no port", host, async () => {
  const { networks } = testbed;
  const text = readFileSync(hostResolvConf, 'utf8');
  const ipam = { driver: 'default', v4: [{ subnet: '10.77.0.0/24' }] };
  await networks.create({ name: 'next', driver: 'bridge', ipam });
  const ports = [{ protocol: 'tcp' as const, containerPort: 80, hostPort: 8090 }];
  const endpoint = { network: 'next', addresses: { v4: '10.77.0.9' } };
  const shop = await testbed.run('shop', { ports });
  await networks.disconnect('bridge', shop.containerId, false);
  rmSync(hostResolvConf);
  mkdirSync(hostResolvConf);
  await assert.rejects(networks.connect('next', shop.containerId, endpoint), /resolv\.conf is not a regular file/);
  rmSync(hostResolvConf, { recursive: true });
  writeFileSync(hostResolvConf, text);
  assert.deepEqual(networks.state(shop.containerId)?.endpoints, []);
  const other = await testbed.run('other', { ports, mode: { kind: 'network', ref: 'next' }, endpoints: [endpoint] });
  assert.equal(other.endpoints[0]?.addresses.v4?.address, '10.77.0.9');
  for (const { containerId } of [other, shop]) await testbed.remove(containerId);
  await networks.remove('next');
});

/** Runs while another process holds a lease on a file, and does not give it up when asked to. */
async function withLease(path: string, type: 'F_RDLCK' | 'F_WRLCK', work: () => Promise<void>): Promise<void> {
  const script = `
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.${type})
os.write(1, b'held')
sys.stdin.read()`;
  const holder = spawn('python3', ['-c', script, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(holder, 'exit');
  try {
    await once(holder.stdout, 'readable');
    assert.equal(String(holder.stdout.read()), 'held');
    await work();
  } finally {
    holder.stdin.end();
    await exit;
  }
}

test('a lease on a file of a container does not block the daemon', host, async () => {
  await testbed.networks.create({ name: 'side', driver: 'bridge' });
  const db = await testbed.run('db');
  const app = await testbed.run('app', { links: ['db'] });
  const { networks } = testbed;
  const { hosts, resolvConf } = app.files;
  const [hostsText, resolvConfText] = [readFileSync(hosts, 'utf8'), readFileSync(resolvConf, 'utf8')];
  await withLease(hosts, 'F_RDLCK', () => networks.removeLink('app/db'));
  assert.deepEqual(networks.links(app.containerId), []);
  assert.equal(readFileSync(hosts, 'utf8'), hostsText);
  await withLease(hosts, 'F_WRLCK', async () => {
    const plan = networks.explain('app');
    assert.ok(plan.objects.some((object) => object.kind === 'file' && object.path === hosts));
  });

  // One that others may read under is noticed when the file is written, the other one passes for the container's change.
  const connect = () => networks.connect('side', app.containerId, { network: 'side' });
  await withLease(resolvConf, 'F_RDLCK', () => assert.rejects(connect(), /EAGAIN/));
  assert.equal(networks.state(app.containerId)?.endpoints.length, 1);
  await withLease(resolvConf, 'F_WRLCK', async () => {
    const objects = [{ kind: 'file', path: resolvConf, content: '' }] as const;
    await assert.rejects(kernel.apply({ owner: 'test', objects }), /EAGAIN/);
    await connect();
  });
  assert.equal(readFileSync(resolvConf, 'utf8'), resolvConfText);
  for (const { containerId } of [app, db]) await testbed.remove(containerId);
  await networks.remove('side');
});
