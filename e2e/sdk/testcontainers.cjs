// Containers, networks and files as users of Testcontainers handle them. e2e/sdk.e2e.test.ts runs it in a lab host. What
// the last test leaves behind is for the reaper.
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { mkdtempSync, mkdirSync, rmSync, writeFileSync } = require('node:fs');
const { connect } = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, test } = require('node:test');
const {
  DockerComposeEnvironment,
  GenericContainer,
  Network,
  Wait,
  getContainerRuntimeClient,
  getReaper,
} = require('testcontainers');

const web = () => new GenericContainer('nginx-web01').withExposedPorts(80);
const shell = (script) => new GenericContainer('netyard-test').withCommand(['sh', '-c', script]);
const idle = 'trap exit TERM; sleep 1000 & wait';

async function textOf(stream) {
  let text = '';
  for await (const part of stream) text += part;
  return text;
}

async function pageOf(container, path = '/') {
  const address = `http://${container.getHost()}:${container.getMappedPort(80)}${path}`;
  return (await fetch(address, { headers: { connection: 'close' } })).text();
}

const folder = mkdtempSync(join(tmpdir(), 'netyard-testcontainers-'));
after(() => rmSync(folder, { recursive: true }));

test('a published port is ready when start returns', async () => {
  const container = await web().start();
  assert.match(await pageOf(container), /web01/);
  assert.equal(container.getFirstMappedPort(), container.getMappedPort('80/tcp'));
  assert.ok(container.getNetworkNames().includes('bridge'));
  assert.match(container.getIpAddress('bridge'), /^\d+\.\d+\.\d+\.\d+$/);
  assert.equal(container.getHostname(), container.getId().slice(0, 12));
  await container.restart();
  assert.match(await pageOf(container), /web01/);
  await container.stop();
  assert.equal(execFileSync('docker', ['ps', '-aq', '--filter', `id=${container.getId()}`], { encoding: 'utf8' }), '');
});

test('start waits for a line of the log', async () => {
  const lines = [];
  const container = await shell(`exec >&2; echo one; echo two; echo ready to serve; ${idle}`)
    .withWaitStrategy(Wait.forLogMessage(/ready to \w+/))
    .withLogConsumer((stream) => stream.on('data', (line) => lines.push(line)))
    .start();
  const logs = await container.logs({ tail: 1 });
  const [line] = await new Promise((resolve) => logs.once('data', (data) => resolve([data])));
  logs.destroy();
  assert.equal(line, 'ready to serve\n');
  assert.match(lines.join(''), /one\n/);
  await container.stop();
});

test('start waits for HTTP, a command, an exit and all of several', async () => {
  const container = await web()
    .withWaitStrategy(
      Wait.forAll([
        Wait.forHttp('/', 80).forStatusCode(200),
        Wait.forSuccessfulCommand('test -e /run/nginx.pid || pidof nginx'),
        Wait.forListeningPorts(),
      ]),
    )
    .start();
  await container.stop();
  await shell('true').withWaitStrategy(Wait.forOneShotStartup()).start();
  await assert.rejects(
    shell('exit 3').withWaitStrategy(Wait.forOneShotStartup()).start(),
    /Container failed to start|failed/i,
  );
});

test('start waits for a health check', async () => {
  const container = await shell(`sleep 0.3; touch /ready; ${idle}`)
    .withHealthCheck({
      test: ['CMD-SHELL', 'test -e /ready'],
      interval: 200,
      timeout: 5000,
      retries: 100,
      startPeriod: 0,
    })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  assert.equal((await container.exec(['cat', '/ready'])).exitCode, 0);
  await container.stop();
  await assert.rejects(
    shell(idle)
      .withHealthCheck({ test: ['CMD', 'false'], interval: 100, timeout: 5000, retries: 1 })
      .withWaitStrategy(Wait.forHealthCheck())
      .start(),
    /[Hh]ealth check failed|unhealthy/,
  );
});

test('containers of a network find each other by alias', async () => {
  const network = await new Network().start();
  const server = await web().withNetwork(network).withNetworkAliases('shop', 'store').start();
  const client = await new GenericContainer('nginx-app01').withCommand(['sh', '-c', idle]).withNetwork(network).start();
  for (const name of ['shop', 'store', server.getName().slice(1)]) {
    const { output, exitCode } = await client.exec(['wget', '-qO-', `http://${name}/`]);
    assert.equal(exitCode, 0);
    assert.match(output, /web01/);
  }
  assert.ok(server.getNetworkNames().includes(network.getName()));
  assert.equal(client.getNetworkId(network.getName()), network.getId());
  await client.stop();
  await server.stop();
  await network.stop();
});

test('exec has its output, status, user, folder and variables', async () => {
  const container = await shell(idle).withEnvironment({ BASE: 'b' }).start();
  const { output, stdout, stderr, exitCode } = await container.exec(
    ['sh', '-c', 'echo $BASE$MORE; pwd; id -u; echo oops >&2; exit 7'],
    { env: { MORE: 'm' }, workingDir: '/var', user: '65534' },
  );
  assert.equal(stdout, 'bm\n/var\n65534\n');
  assert.equal(stderr, 'oops\n');
  assert.equal(output.length, stdout.length + stderr.length);
  assert.equal(exitCode, 7);
  assert.notEqual((await container.exec(['no-such-command'])).exitCode, 0);
  await container.stop();
});

test('files are copied in before the start and later, and out', async () => {
  mkdirSync(join(folder, 'site'));
  writeFileSync(join(folder, 'site', 'a.txt'), 'A');
  writeFileSync(join(folder, 'one.txt'), 'one');
  const container = await shell(`cat /given/content > /seen; ${idle}`)
    .withCopyContentToContainer([{ content: 'from a string', target: '/given/content', mode: 0o640 }])
    .withCopyFilesToContainer([{ source: join(folder, 'one.txt'), target: '/given/one.txt' }])
    .withCopyDirectoriesToContainer([{ source: join(folder, 'site'), target: '/given/site' }])
    .withTmpFs({ '/scratch': 'rw,size=1m' })
    .start();
  const cat = async (path) => (await container.exec(['cat', path])).output;
  assert.equal(await cat('/given/one.txt'), 'one');
  assert.equal(await cat('/given/site/a.txt'), 'A');
  assert.equal((await container.exec(['stat', '-c', '%a', '/given/content'])).output, '640\n');
  await container.copyContentToContainer([{ content: 'later', target: '/given/later' }]);
  await container.copyFilesToContainer([{ source: join(folder, 'one.txt'), target: '/given/two.txt' }]);
  await container.copyDirectoriesToContainer([{ source: join(folder, 'site'), target: '/later' }]);
  assert.equal(await cat('/given/later'), 'later');
  assert.equal(await cat('/later/a.txt'), 'A');
  const archive = await container.copyArchiveFromContainer('/given');
  const names = execFileSync('tar', ['-t'], { input: Buffer.concat(await archive.toArray()), encoding: 'utf8' });
  assert.deepEqual(names.trim().split('\n').sort(), [
    'given/',
    'given/content',
    'given/later',
    'given/one.txt',
    'given/site/',
    'given/site/a.txt',
    'given/two.txt',
  ]);
  await container.copyArchiveToContainer(
    Buffer.concat(await (await container.copyArchiveFromContainer('/seen')).toArray()),
    '/scratch',
  );
  await container.stop();
});

test('options of the container reach it', async () => {
  const container = await shell(idle)
    .withName('options')
    .withHostname('given')
    .withUser('65534')
    .withWorkingDir('/var')
    .withLabels({ tier: 'inner' })
    .withExtraHosts([{ host: 'elsewhere', ipAddress: '192.0.2.7' }])
    .withUlimits({ nofile: { hard: 512, soft: 256 } })
    .withAddedCapabilities('NET_ADMIN')
    .withDroppedCapabilities('MKNOD')
    .withResourcesQuota({ memory: 0.125 })
    .withSharedMemorySize(1024 * 1024)
    .withBindMounts([{ source: folder, target: '/bound', mode: 'ro' }])
    .withDefaultLogDriver()
    .start();
  const run = async (script, options) => (await container.exec(['sh', '-c', script], options)).output;
  assert.equal(await run('hostname; pwd; id -u; ulimit -n; ulimit -Hn'), 'given\n/var\n65534\n256\n512\n');
  assert.match(await run('cat /etc/hosts'), /192\.0\.2\.7\s+elsewhere/);
  assert.match(await run('touch /bound/file', { user: '0' }), /Read-only file system/);
  assert.match(await run('df -k /dev/shm'), /\n\S+ +1024 /);
  assert.equal(container.getLabels().tier, 'inner');
  assert.equal(container.getName(), '/options');
  await container.stop({ timeout: 1000 });
});

test('a container that is not removed at its stop can be started again', async () => {
  const container = await shell(`echo run >> /runs; ${idle}`).withAutoRemove(false).start();
  const stopped = await container.stop({ remove: false });
  const archive = await stopped.copyArchiveFromContainer('/runs');
  assert.match(await textOf(archive), /run\n/);
});

test('a container with reuse is found by its hash', async () => {
  const start = () => web().withLabels({ purpose: 'reuse' }).withReuse().start();
  const first = await start();
  const second = await start();
  assert.equal(second.getId(), first.getId());
  await first.stop({ remove: false });
  const third = await start();
  assert.equal(third.getId(), first.getId());
  assert.match(await pageOf(third), /web01/);
  await third.stop();
});

test('docker compose projects', { skip: !process.env.NETYARD_COMPOSE && 'NETYARD_COMPOSE is not set' }, async () => {
  writeFileSync(
    join(folder, 'compose.yaml'),
    `services:
  web: { image: nginx-web01, ports: ["80"], volumes: ["data:/data"] }
  check:
    image: netyard-test
    command: sh -c 'trap exit TERM; sleep 1000 & wait'
    healthcheck: { test: "true", interval: 1s }
volumes: { data: }
`,
  );
  const environment = await new DockerComposeEnvironment(folder, 'compose.yaml')
    .withWaitStrategy('check-1', Wait.forHealthCheck())
    .up();
  assert.match(await pageOf(environment.getContainer('web-1')), /web01/);
  await environment.stop();
  await environment.down();
});

test('the reaper gets filters and acknowledges them', async () => {
  const client = await getContainerRuntimeClient();
  const { sessionId, containerId } = await getReaper(client);
  const { State, NetworkSettings, Config } = await client.container.inspect(client.container.getById(containerId));
  assert.equal(State.Running, true);
  assert.equal(Config.Labels['org.testcontainers.session-id'], sessionId);
  const socket = connect(Number(NetworkSettings.Ports['8080/tcp'][0].HostPort), 'localhost');
  socket.setEncoding('utf8').write('label=reaped=volumes&label=by=netyard\n');
  const [answer] = await new Promise((resolve) => socket.once('data', (data) => resolve([data])));
  assert.equal(answer, 'ACK\n');
  socket.end();
});

test('containers, networks and volumes are left for the reaper', async () => {
  const network = await new Network().start();
  await web().withNetwork(network).withNetworkAliases('left').start();
  await shell('true').withWaitStrategy(Wait.forOneShotStartup()).start();
  const volume = ['volume', 'create', '--label', 'reaped=volumes'];
  execFileSync('docker', [...volume, '--label', 'by=netyard', 'reaped']);
  execFileSync('docker', [...volume, 'kept']); // has one of the filter's two labels only
});
