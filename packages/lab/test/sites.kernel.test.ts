/** Several switches with routers between them, and changes to them: with real packets, without daemons. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import {
  bringDown,
  bringUp,
  execInHost,
  findHost,
  killHost,
  type ListedHost,
  listHosts,
  parseLab,
  setCable,
  startHost,
} from '../src/index.ts';
import { assertNothingLeft, findCgroups, machine } from './nothing-left.ts';

const root = { skip: process.getuid?.() === 0 ? false : 'needs root: it makes namespaces' };
const labName = (suffix: string): string => `test-${process.pid}-${suffix}`;
const { signal } = new AbortController();
const up = (text: string): Promise<void> => bringUp(parseLab(text, 'lab.yaml'), { say: () => {}, signal });

interface Result {
  status: number | null;
  said: string;
}

/** Runs a shell line in a host; returns its status and output. */
function run(host: string, line: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = execInHost(findHost(host), ['sh', '-c', line], {
      environment: process.env,
      folder: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    child.once('error', reject).once('close', (status) => resolve({ status, said }));
  });
}

/** Runs a shell line that must succeed. */
async function inside(host: string, line: string): Promise<string> {
  const { status, said } = await run(host, line);
  assert.equal(status, 0, `${host}: ${line}: ${said}`);
  return said;
}

const reaches = async (host: string, address: string): Promise<boolean> =>
  (await run(host, `ping -c 1 -W 1 ${address}`)).status === 0;

/** After a cable or a host is back: a host whose requests failed before may back off before it retries. */
const comesBack = async (host: string, address: string): Promise<boolean> =>
  (await run(host, `for i in $(seq 60); do ping -c 1 -W 1 ${address} && exit 0; done; exit 1`)).status === 0;

async function listed(lab: string, host: string): Promise<ListedHost> {
  const found = (await listHosts()).find((one) => one.lab === lab && one.host === host);
  assert.ok(found);
  return found;
}

async function refused(work: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => isNetyardError(error) && message.test(error.message));
}

const sites = (name: string): string => `
name: ${name}
switches: { paris: 172.16.1.0/24, core: 10.255.0.0/24, oslo: { prefix: 172.16.3.0/24, mtu: 1400 } }
routers:
  r-paris: { paris: 172.16.1.1, core: 10.255.0.1 }
  r-oslo: { oslo: 172.16.3.1, core: 10.255.0.3 }
hosts:
  a: { switch: paris, address: 172.16.1.11, gateway: r-paris, daemon: false }
  b:
    switch: oslo
    address: 172.16.3.11
    gateway: 172.16.3.1
    daemon: false
    services:
      beat: { run: "while sleep 0.05; do date >> {state}/beat; done", ready: "[ -s {state}/beat ]" }
`;

test('sites behind routers survive cut cables and killed hosts', root, async (t) => {
  const before = machine();
  const name = labName('sites');
  const [a, b] = [`${name}/a`, `${name}/b`];
  await up(sites(name));
  try {
    await t.test('packets pass the routers and get ICMP errors of a link with a small MTU', async () => {
      assert.equal(machine(), before, 'the machine is unchanged');
      assert.ok(await comesBack(a, '172.16.3.11'));
      assert.match(await inside(a, 'ping -c 1 -w 60 172.16.3.11'), /ttl=62/, 'two routers in between');
      assert.match(await inside(b, 'ip -o link show ens33'), / mtu 1400 /);
      assert.match(await inside(`${name}/r-oslo`, 'ip route'), /^172\.16\.1\.0\/24 via 10\.255\.0\.1 dev core $/m);
      const big = await run(a, 'ping -c 1 -w 60 -M do -s 1450 172.16.3.11');
      assert.match(big.said, /From 10\.255\.0\.3 .*mtu = 1400/);
      await inside(a, 'ip route get 9.9.9.9');
      assert.ok(!(await reaches(a, '9.9.9.9')), 'the routers have no default route');
    });

    await t.test('a host with a cut cable keeps its address and has no carrier', async () => {
      await setCable(a, 'down');
      assert.match(await inside(a, 'ip -o link show ens33'), /NO-CARRIER/);
      assert.match(await inside(a, 'ip -br address show ens33'), /172\.16\.1\.11\/24/);
      assert.ok(!(await reaches(b, '172.16.1.11')));
      await setCable(a, 'down');
      assert.match(JSON.stringify((await listed(name, 'a')).links), /"link":"ens33".*"state":"cut"/);
      await setCable(a, 'up');
      assert.ok(await comesBack(b, '172.16.1.11'));
      await setCable(`${name}/r-oslo:core`, 'down');
      assert.ok(!(await reaches(b, '172.16.1.11')));
      await setCable(`${name}/r-oslo:core`, 'up');
      assert.ok(await comesBack(b, '172.16.1.11'));
      await refused(setCable(`${name}/r-oslo`, 'down'), /r-oslo has several cables: .*r-oslo:oslo, .*r-oslo:core/);
      await refused(setCable(`${a}:core`, 'down'), /has no cable to core; it is connected to paris/);
    });

    await t.test('a killed service starts again', async () => {
      assert.deepEqual((await listed(name, 'b')).services, { beat: 'runs' });
      await killHost(`${b}:beat`);
      assert.deepEqual((await listed(name, 'b')).services, { beat: 'ended' });
      await refused(killHost(`${b}:beat`), /beat of lab host .*\/b is not running/);
      await startHost(`${b}:beat`, signal);
      assert.deepEqual((await listed(name, 'b')).services, { beat: 'runs' });
      await refused(startHost(`${b}:beat`, signal), /is already running/);
      await refused(killHost(`${b}:daemon`), /has no program daemon: it has beat/);
    });

    await t.test(
      'a host killed: all of it is gone at once; started: its files are there, and its network card',
      async () => {
        const card = await inside(b, 'cat /sys/class/net/ens33/address');
        await inside(b, 'echo kept > /etc/kept; touch /run/not-kept; ip netns add r1; ip link add d0 type bridge');
        const size = await inside(b, 'wc -l < /var/lib/netyard-lab/$NETYARD_LAB/b/state/beat');
        await killHost(b);
        assert.ok(!(await reaches(a, '172.16.3.11')));
        const off = await listed(name, 'b');
        assert.deepEqual([off.status, off.services], ['killed', { beat: 'ended' }]);
        assert.match(JSON.stringify(off.links), /"state":"off"/);
        assert.throws(() => findHost(b), /is not running/);
        await refused(killHost(b), /is not running/);
        assert.equal(findCgroups('-path', `*/${name}/b`), '');
        await setCable(b, 'down');
        await startHost(b, signal);
        await refused(startHost(b, signal), /is already running/);
        assert.ok(!(await reaches(a, '172.16.3.11')), 'its cable was cut while it was off');
        await setCable(b, 'up');
        assert.ok(await comesBack(a, '172.16.3.11'));
        assert.equal(await inside(b, 'cat /etc/kept; ls /run/netns; ls /run | grep not-kept || :'), 'kept\n');
        assert.equal(await inside(b, 'cat /sys/class/net/ens33/address'), card);
        const more = `[ $(wc -l < /var/lib/netyard-lab/$NETYARD_LAB/b/state/beat) -gt ${size.trim()} ]`;
        await inside(b, `for i in $(seq 600); do ${more} && exit 0; sleep 0.1; done; exit 1`);
        assert.equal((await run(b, 'ip link show d0')).status, 1);
      },
    );

    await t.test('killed routers start again, also two at the same time', async () => {
      await Promise.all([killHost(`${name}/r-oslo`), killHost(`${name}/r-paris`)]);
      assert.ok(!(await reaches(a, '172.16.3.11')));
      await Promise.all([startHost(`${name}/r-oslo`, signal), startHost(`${name}/r-paris`, signal)]);
      assert.ok(await comesBack(a, '172.16.3.11'));
    });

    await t.test('an ambiguous host name is rejected with both names', async () => {
      const shared = `b${process.pid}`; // labs of other programs have hosts, too
      const [first, second] = [labName('first'), labName('second')];
      try {
        for (const lab of [first, second])
          await up(`name: ${lab}\nswitch: 10.0.0.0/8\nhosts: { ${shared}: { address: 10.0.0.1, daemon: false } }\n`);
        const both = `${first}/${shared}, ${second}/${shared}`;
        const ambiguous = new RegExp(`several labs have a host ${shared}; use one of ${both}`);
        await refused(setCable(shared, 'down'), ambiguous);
        assert.throws(() => findHost(shared), ambiguous);
        await killHost(`${second}/${shared}`);
        assert.equal(findHost(shared).lab, first, 'the one that runs is meant');
        await refused(setCable(shared, 'down'), ambiguous);
      } finally {
        for (const lab of [first, second]) await bringDown(lab);
      }
    });
  } finally {
    await bringDown(name);
  }
  assertNothingLeft(name, before);
});
