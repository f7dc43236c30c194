/**
 * Names, labels, aliases and options that try to inject shell commands, nftables statements and terminal sequences: what
 * is accepted comes back unchanged, and neither rules, the scripts of `explain`, a terminal nor the log execute it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { call } from './support/api.ts';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost } from './support/host.ts';

const version = '/v1.41';
const payloads = [
  "'; touch /run/owned; '",
  '$(touch /run/owned)',
  '`touch /run/owned`',
  '\ntouch /run/owned\n',
  "x'\ntouch /run/owned\nEOF\ntouch /run/owned\n'",
  '"; touch /run/owned; "',
  '" } }; add table ip owned; add rule ip netyard forward accept comment "',
  'a"\n}\n}\ntable ip owned { }\n',
  '\\"; add table ip owned; #',
  '\u001b]0;owned\u0007\u001b[2J\r\u009b1A',
  '../../../run/owned',
  '-rf',
  '%s%n\u0000',
  'x'.repeat(4096),
];

/** Requests that each contain the text in one place. */
function requests(text: string): [path: string, body: Record<string, unknown>][] {
  const container = (more: Record<string, unknown>, HostConfig: Record<string, unknown> = {}) => ({
    ...{ Image: 'netyard-test', Cmd: ['sleep', '1d'], HostConfig, ...more },
  });
  const named = encodeURIComponent(text);
  const inBridge = (config: unknown) => container({ NetworkingConfig: { EndpointsConfig: { bridge: config } } });
  return [
    [`/containers/create?name=${named}`, container({})],
    ['/containers/create', container({ Labels: { [text]: text } })],
    ['/containers/create', container({ Env: [`A=${text}`], WorkingDir: `/${text}` })],
    ['/containers/create', container({ Hostname: text })],
    ['/containers/create', container({ Domainname: text })],
    ['/containers/create', container({}, { ExtraHosts: [`${text}:10.0.0.9`] })],
    ['/containers/create', container({}, { Links: [`base:${text}`] })],
    ['/containers/create', container({}, { Dns: [text] })],
    ['/containers/create', container({}, { DnsSearch: [text] })],
    ['/containers/create', container({}, { DnsOptions: [text] })],
    ['/containers/create', container({}, { Sysctls: { [`net.ipv4.${text}`]: text } })],
    ['/containers/create', container({}, { PortBindings: { '80/tcp': [{ HostIp: text, HostPort: text }] } })],
    ['/containers/create', container({}, { Binds: [`${text}:/data`] })],
    ['/containers/create', inBridge({ Aliases: [text] })],
    ['/containers/create', inBridge({ Links: [`base:${text}`] })],
    ['/networks/create', { Name: text }],
    ['/networks/create', { Name: `n${Buffer.from(text).toString('hex').slice(0, 40)}`, Labels: { [text]: text } }],
    ['/networks/create', { Name: 'bridge-name', Options: { 'com.docker.network.bridge.name': text } }],
    [`/containers/base/rename?name=${named}`, {}],
    ['/containers/base/exec', { Cmd: ['true'], WorkingDir: `/${text}`, Env: [text] }],
    ['/volumes/create', { Name: text }],
    ['/volumes/create', { Name: `v${Buffer.from(text).toString('hex').slice(0, 40)}`, Labels: { [text]: text } }],
  ];
}

describe('hostile names', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  const containers: string[] = [];

  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
    await host.docker('run', '-d', '--name', 'base', 'netyard-test', 'sleep', '1d');
  });
  after(() => host.close());

  /** No command of a payload ran, and no statement of one is in the ruleset. */
  async function isIntact(where: TestHost, what: string): Promise<void> {
    assert.equal(await where.sh('ls -d /run/owned 2>/dev/null || true'), '', what);
    assert.equal(await where.sh('nft list tables | grep -c owned || true'), '0\n', what);
    assert.equal(await where.sh('nft list ruleset | grep -c "accept comment \\"$" || true'), '0\n', what);
  }

  test('each request is refused as invalid or accepted as it is', async () => {
    for (const text of payloads)
      for (const [path, body] of requests(text)) {
        const answer = await call(host, 'POST', `${version}${path}`, body);
        const what = `${path} ${JSON.stringify(body).slice(0, 300)}: ${answer.status} ${answer.body.slice(0, 300)}`;
        assert.ok([201, 400, 404, 409, 501].includes(answer.status), what);
        if (answer.status !== 201 || !path.startsWith('/containers/create')) continue;
        containers.push((JSON.parse(answer.body) as { Id: string }).Id);
      }
    assert.ok(containers.length > payloads.length);
    for (const id of containers) await call(host, 'POST', `${version}/containers/${id}/start`);
    const running = await host.docker('ps', '-q');
    assert.ok(running.split('\n').length > payloads.length, running);
    await isIntact(host, 'after the starts');
    const labels = (await host.docker('ps', '-aq', '--no-trunc')).split('\n').map(async (id) => {
      const { body } = await call(host, 'GET', `${version}/containers/${id}/json`);
      return Object.entries((JSON.parse(body) as { Config: { Labels?: Record<string, string> } }).Config.Labels ?? {});
    });
    const found = new Set((await Promise.all(labels)).flat().map(([, value]) => value));
    for (const text of payloads) assert.ok(found.has(text), JSON.stringify(text));
  });

  test('bytes that are not UTF-8 are refused or replaced', async () => {
    const body = '{"Image":"netyard-test","Labels":{"\\377":"\\376\\300\\200"}}';
    const curl = `curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/netyard/netyard.sock -H 'Content-Type: application/json'`;
    const status = await host.sh(`printf '${body}' | ${curl} --data-binary @- http://d${version}/containers/create`);
    assert.match(status, /^(201|400)$/);
  });

  test('the scripts of explain run on an empty host and execute nothing of it', async () => {
    const scripts: string[] = [];
    for (const ref of ['bridge', ...containers]) {
      const { status, stdout, stderr } = await host.tryNetyard('explain', ref);
      assert.ok(status === 0 || /not running|no sandbox|never/i.test(stderr), `${ref}: ${stderr}`);
      if (status === 0) scripts.push(stdout);
    }
    assert.ok(scripts.length > payloads.length);
    const replica = await openHost('netyard', { daemon: false });
    try {
      for (const script of scripts) {
        await replica.run(['sh'], { stdin: script.replaceAll(host.dataFolder, replica.dataFolder) });
        await isIntact(replica, script);
      }
    } finally {
      await replica.close();
    }
  });

  test('a terminal gets no control characters, and each line of the log is one record', async () => {
    const netyard = (line: string) => `script -qec '${line}' /dev/null < /dev/null`;
    const program = `${process.cwd()}/bin/netyard`;
    for (const line of ['ps -a --no-trunc', 'network ls', 'volume ls', 'inspect $(docker ps -aq)']) {
      const shown = await host.sh(netyard(`${program} ${line}`));
      assert.doesNotMatch(shown.replaceAll('\r\n', '\n'), /(?!\n|\t)\p{Cc}/u, line);
    }
    const log = await host.sh(`cat ${host.dataFolder}/../daemon.log`);
    assert.doesNotMatch(log, /(?!\n|\t)\p{Cc}/u);
    for (const line of log.split('\n').filter(Boolean)) assert.doesNotMatch(line, /^(touch|}|table) /);
    await isIntact(host, 'at the end');
  });
});
