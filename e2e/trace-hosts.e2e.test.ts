/** Traces across two hosts: each fault is made for real, a trace names the object and its host, and the fix works. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Certificates, makeCertificates } from './support/certificates.ts';
import { cannotRun } from './support/engines.ts';
import { hostAddress, neighbourAddress, openHosts, type TestHost, until } from './support/host.ts';
import { check, contextOf, netyard, reportOf, traceOf } from './trace/check.ts';
import type { FaultContext } from './trace/fault.ts';
import {
  connectHosts,
  healthyHostTraces,
  remoteTargetFaults,
  routeFaults,
  setHostScene,
  sharedHostFaults,
  tunnelFaults,
} from './trace/host-faults.ts';

describe('trace across hosts', { skip: cannotRun('netyard') }, () => {
  let certificates: Certificates;
  let context: FaultContext;
  let api: string[];
  before(async () => {
    certificates = makeCertificates({ server1: hostAddress, server2: neighbourAddress });
    const server = ['--tlscert', certificates.certificate('server2'), '--tlskey', certificates.key('server2')];
    const [host, neighbour] = await openHosts('netyard', ['server1', 'server2'], {
      images: ['nginx-web01'],
      bips: ['192.168.11.1/24', '192.168.12.1/24'],
      // Without the first, a daemon adds a rule before those that drop its packets.
      daemonOptions: [
        ...['--foreign-firewall=false', '-H', 'tcp://0.0.0.0:2376', '--tlsverify'],
        ...['--tlscacert', certificates.ca, ...server],
      ],
    });
    assert.ok(host && neighbour);
    context = contextOf(host, neighbour);
    const own = ['--api-cert', certificates.certificate('server1'), '--api-key', certificates.key('server1')];
    api = ['--api', `https://${neighbourAddress}:2376`, '--api-ca', certificates.ca, ...own];
    await setHostScene(context);
  });
  after(async () => {
    await context.host.close();
    certificates.remove();
  });

  for (const via of ['route', 'vxlan'] as const) {
    describe(via === 'route' ? 'with a route' : 'through a tunnel', () => {
      before(() => connectHosts(context, via, api));
      const own = via === 'route' ? [...remoteTargetFaults, ...routeFaults] : tunnelFaults;
      for (const fault of [...sharedHostFaults(via), ...own]) test(fault.name, () => check(fault, context));

      test('hosts that work are not accused of anything', async () => {
        for (const args of healthyHostTraces(via)) {
          const { conclusion, observed, steps } = await reportOf(context, args);
          const shown = `${args.join(' ')}: ${conclusion.sentence}`;
          assert.equal(conclusion.outcome, 'reached', shown);
          // Rules are not traced on either host, so other traffic is not slowed down.
          assert.equal(observed, 'packets', shown);
          assert.ok(!steps.some(({ kind, state }) => kind === 'rule' || state === 'missing'), shown);
        }
      });
    });
  }

  test('the hops of both hosts are one sequence, with the names of the hosts', async () => {
    const { stdout } = await context.host.tryNetyard('trace', '--json', 'app', 'server2/web:80');
    const { steps } = JSON.parse(stdout) as { steps: { place: string; host?: string; state: string }[] };
    const places = steps.filter(({ state }) => state === 'seen').map(({ place }) => place);
    const changes = places.filter((place, index) => place !== places[index - 1]);
    assert.deepEqual(changes, ['app', 'server1', 'server2', 'server2/web']);
    assert.ok(steps.every(({ host, place }) => (host === 'server2') === place.startsWith('server2')));
  });

  test('a prediction includes the peer, and sends nothing', async () => {
    const { status, stdout } = await context.host.tryNetyard('trace', '--dry-run', 'app', 'server2/web:80');
    assert.equal(status, 0);
    assert.match(stdout, /server2\/web +socket nginx/);
  });

  test('unknown names: the host that does not know them', async () => {
    const { status, stderr } = await context.host.tryNetyard('trace', 'app', 'server2/absent:80');
    assert.equal(status, 125);
    assert.match(stderr, /no such container or namespace on server2: absent\n/);
    const other = await context.host.tryNetyard('trace', 'app', 'server7/web:80');
    assert.match(other.stderr, /app cannot resolve server7\/web/);
  });

  test('clients without a certificate are rejected', async () => {
    const curl = `curl -sk -X POST 'https://${neighbourAddress}:2376/netyard/v1/trace?target=web&protocol=tcp&port=80'`;
    const { status } = await context.host.run(['sh', '-c', curl]);
    assert.notEqual(status, 0);
  });

  test('nothing stays behind: after traces, killed traces and a killed daemon', async () => {
    const descriptors = await bpfDescriptors(context.neighbour);
    for (let count = 0; count < 5; count += 1) await traceOf(context, ['app', 'server2/web:80']);
    await cleanHosts(context);
    // The target does not answer: each is killed while both hosts observe the first probe, or the second one.
    await context.neighbour.sh('iptables -I FORWARD -o docker0 -s 192.168.11.0/24 -j DROP');
    for (let count = 0; count < 8; count += 1) {
      const child = context.host.start([netyard, 'trace', 'app', 'server2/web:80']);
      await pause(200 + count * 120);
      child.kill('SIGKILL');
    }
    await cleanHosts(context);
    await until(async () => (await bpfDescriptors(context.neighbour)) === descriptors, 'BPF programs are gone');
    const trace = context.host.run([netyard, 'trace', 'app', 'server2/web:80']);
    await until(async () => (await tables(context.neighbour)) !== '', 'server2 observes');
    await context.host.killDaemon();
    const { stdout } = await trace;
    assert.match(stdout, /server2 could not be asked: .*ended/);
    await context.host.restartDaemon();
    await context.neighbour.sh('iptables -F FORWARD');
    await cleanHosts(context);
  });
});

const tables = async (host: TestHost): Promise<string> =>
  (await host.run(['sh', '-c', 'nft list tables | grep netyard_trace'])).stdout;

/** Of the daemon, which observes for other hosts. */
const bpfDescriptors = async (host: TestHost): Promise<string> =>
  await host.sh("ls -l /proc/$(cat /run/netyard/netyard.pid)/fd | grep -cE 'bpf|perf' || true");

async function cleanHosts({ host, neighbour }: FaultContext): Promise<void> {
  for (const one of [host, neighbour]) {
    await until(async () => (await tables(one)) === '', 'no table of a trace is left');
    const sockets = async (): Promise<string> => (await one.sh('tail -n +2 /proc/net/packet')).trim();
    await until(async () => (await sockets()) === '', 'no packet socket is left');
  }
}
