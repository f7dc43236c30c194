/** `netyard trace --live`: packets of other programs, from a container, from outside and to outside, are followed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { cannotRun } from './support/engines.ts';
import { collect, hostAddress, type TestHost, until } from './support/host.ts';
import { netyard, openRoutedHost, type Report } from './trace/check.ts';
import type { FaultContext } from './trace/fault.ts';

type LiveReport = Report & { steps: { place: string; name: string; state: string }[]; incomplete: string[] };

describe('trace --live', { skip: cannotRun('netyard') }, () => {
  let context: FaultContext;
  before(async () => {
    context = await openRoutedHost([['app'], ['web', '-p', '8080:80']]);
    await context.neighbour.sh('ip address add 203.0.113.80/32 dev lo');
  });
  after(() => context.host.close());

  /** Starts the trace, sends when it waits, and returns its report. */
  async function follow(args: readonly string[], send: () => Promise<unknown>): Promise<LiveReport> {
    const child = context.host.start([netyard, 'trace', '--live', '--json', ...args]);
    const result = collect(child);
    await Promise.race([once(child.stderr ?? child, 'data'), result]);
    await send();
    const { stdout, stderr } = await result;
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as LiveReport;
  }

  const fetch = (from: TestHost, address: string): Promise<unknown> =>
    from.run(['curl', '-s', '-m', '1', '-o', '/dev/null', `http://${address}`]);
  const fetchIn = async (container: string, address: string): Promise<unknown> =>
    context.host.run(['docker', 'exec', container, 'wget', '-q', '-T', '1', '-O', '/dev/null', `http://${address}`]);
  const placesOf = ({ steps }: LiveReport): string[] => {
    const places = steps.filter(({ state }) => state === 'seen').map(({ place }) => place);
    return places.filter((place, index) => place !== places[index - 1]);
  };

  test('a connection between containers', async () => {
    const web = await context.addressOf('web');
    const report = await follow(['app', 'web:80'], async () => {
      await fetchIn('app', `${hostAddress}:8080`);
      await fetchIn('app', web);
    });
    assert.match(
      report.conclusion.sentence,
      new RegExp(`^app reaches web: ${web}:80 answered after \\d+\\.\\d ms\\.$`),
    );
    assert.deepEqual(placesOf(report), ['app', 'server1', 'web']);
    assert.deepEqual(report.incomplete, []);
  });

  test('a connection from outside to a published port, and not one of this host to it', async () => {
    const report = await follow(['outside', 'web:80'], async () => {
      await fetch(context.host, `${hostAddress}:8080`);
      await fetch(context.neighbour, `${hostAddress}:8080`);
    });
    assert.match(report.conclusion.sentence, /^outside reaches web: 172\.16\.2\.101:8080 answered after/);
    assert.deepEqual(placesOf(report), ['server1', 'web']);
    assert.equal(report.steps[0]?.name, 'ens33');
  });

  test('a connection from outside that a rule drops', async () => {
    await context.host.sh('iptables -I FORWARD -i ens33 -p tcp --dport 80 -j DROP');
    const report = await follow(['outside', 'web:80'], () => fetch(context.neighbour, `${hostAddress}:8080`));
    await context.host.sh('iptables -F FORWARD');
    assert.equal(report.conclusion.cause, 'dropped-by-firewall');
    assert.match(
      report.conclusion.sentence,
      /^Dropped at server1, ens33 → br-\S+, by the rule ".*" of ip filter FORWARD\.$/,
    );
  });

  test('a datagram to a port where nothing listens', async () => {
    const web = await context.addressOf('web');
    const report = await follow(['app', 'web:5353/udp'], () =>
      context.inside(
        'app',
        `perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); send(S, "x", 0, sockaddr_in(5353, inet_aton("${web}")))'`,
      ),
    );
    assert.equal(report.conclusion.sentence, 'Reached web, but nothing listens on 5353/udp there.');
  });

  test('a ping, and a connection to an address outside', async () => {
    const ping = await follow(['app', 'web'], async () => {
      await context.inside('app', `ping -c 1 -W 2 ${await context.addressOf('web')}`);
    });
    assert.equal(ping.conclusion.outcome, 'reached', ping.conclusion.sentence);
    const report = await follow(['app', 'outside:443'], () => fetchIn('app', '203.0.113.80:443'));
    assert.equal(
      report.conclusion.sentence,
      'Refused by 203.0.113.80:443 by RST: nothing listens on 443/tcp there, or a firewall rejects it.',
    );
    assert.ok(report.steps.some(({ name, state }) => name.startsWith('ens33') && state === 'seen'));
  });

  test('the end without a packet, and requests that cannot be followed', async () => {
    const quiet = await context.host.tryNetyard('trace', '--live', '--timeout', '300ms', 'app', 'web:80');
    assert.equal(quiet.status, 2);
    assert.match(quiet.stdout, /\nNo connection from app to web:80 was seen in 0\.3 s\.\n/);
    assert.match(quiet.stderr, /^Waiting for a packet from app to web:80; Ctrl-C ends\.\n/);
    const closed = await context.host.tryNetyard('trace', '--live', 'outside', 'app:80');
    assert.match(closed.stdout, /app does not publish 80\/tcp/);
    const both = await context.host.tryNetyard('trace', '--live', '--dry-run', 'app', 'web:80');
    assert.deepEqual([both.status, both.stdout], [125, '']);
  });

  test('Ctrl-C leaves nothing behind', async () => {
    const child = context.host.start([netyard, 'trace', '--live', 'app', 'web:80']);
    const result = collect(child);
    await once(child.stderr ?? child, 'data');
    assert.match(await context.host.sh('nft list tables'), /netyard_trace/);
    child.kill('SIGINT');
    await result;
    const tables = async (): Promise<string> => await context.host.sh('nft list tables | grep netyard_trace || true');
    await until(async () => (await tables()) === '', 'no table of the trace is left');
  });
});
