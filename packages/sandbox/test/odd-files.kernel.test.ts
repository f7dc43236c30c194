/** Files of the host and of containers that are not what they should be: huge, FIFOs, directories, loops of links. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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
