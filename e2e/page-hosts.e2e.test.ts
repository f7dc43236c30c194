/** The topology page of a host of a cluster: traces to containers of another host, whose daemon is asked over its API. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bringDown, bringUp, parseLab } from '@netyard/lab';
import { findChromium, type OpenedBrowser, openBrowser } from './page/browser.ts';
import { type Certificates, makeCertificates } from './support/certificates.ts';
import { cannotRun } from './support/engines.ts';
import { TestHost, until } from './support/host.ts';
import { archivePath } from './support/images.ts';

const chromium = findChromium();
const skip =
  cannotRun('netyard') || (chromium === undefined && 'needs chromium: script/unpack-chromium, NETYARD_CHROMIUM');
const lab = `e2e-page-hosts-${process.pid}`;
const addresses = { node1: '172.16.0.11', node2: '172.16.0.12' };
type Name = keyof typeof addresses;

describe('the topology page of two hosts', { skip }, () => {
  let certificates: Certificates;
  let opened: OpenedBrowser;
  const hosts = new Map<string, TestHost>();
  const host = (name: Name): TestHost => hosts.get(name) ?? assert.fail();

  function labFile(): string {
    const run =
      'exec etcd --data-dir {state}/etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://{address}:2379';
    const etcd = { run, ready: 'etcdctl --endpoints http://{address}:2379 endpoint health' };
    const server = (name: Name): string[] => [
      ...['--cluster=etcd://172.16.0.11:2379', '--cluster-publish-names', '-H', 'tcp://0.0.0.0:2376', '--tlsverify'],
      ...[`--tlscacert=${certificates.ca}`, `--tlscert=${certificates.certificate(name)}`],
      `--tlskey=${certificates.key(name)}`,
    ];
    const client = [
      ...[`--cluster-api-ca=${certificates.ca}`, `--cluster-api-cert=${certificates.certificate('node1')}`],
      `--cluster-api-key=${certificates.key('node1')}`,
    ];
    const page = ['--web', '127.0.0.1:7420', '--web-actions'];
    // Without the last option, a daemon adds a rule before those that drop its packets.
    const definitions = {
      node1: { address: addresses.node1, daemon: [...server('node1'), ...client, ...page], services: { etcd } },
      node2: { address: addresses.node2, daemon: [...server('node2'), '--foreign-firewall=false'] },
    };
    return JSON.stringify({ name: lab, switch: '172.16.0.0/16', hosts: definitions });
  }

  before(async () => {
    certificates = makeCertificates(addresses);
    const definition = parseLab(labFile(), 'lab');
    await bringUp(definition, { say: () => {}, signal: new AbortController().signal });
    for (const one of definition.hosts) hosts.set(one.name, new TestHost('netyard', lab, one, {}));
    for (const [name, container] of [
      ['node1', 'app'],
      ['node2', 'web'],
    ] as const) {
      await host(name).docker('load', '-q', '-i', archivePath('netyard-test'));
      await host(name).docker('run', '-d', '--name', container, 'netyard-test', 'sleep', '10000');
    }
    await host('node2').docker('exec', '-d', 'web', 'httpd', '-f', '-p', '80');
    await until(
      async () => (await host('node1').netyard('cluster', 'ls', '--format', '{{.State}}')) === 'ready\nready',
      'both hosts are ready',
    );
    opened = await openBrowser(chromium ?? '', host('node1').pid);
  });
  after(async () => {
    await opened?.close();
    await bringDown(lab);
    certificates?.remove();
  });

  test('two clicks across lanes trace to the other host, hop by hop, and to the rule there that drops', async () => {
    const page = await (await opened.browser.newContext({ reducedMotion: 'reduce' })).newPage();
    await page.goto(await host('node1').netyard('web'));
    const web = page.getByRole('button', { name: /^container web, running/ });
    const panel = page.getByRole('complementary', { name: 'Trace' });
    await web.waitFor();
    const traceToWeb = async (): Promise<void> => {
      await page.getByRole('button', { name: 'Trace', exact: true }).click();
      await page.getByRole('button', { name: /^container app, running/ }).click();
      await panel.getByLabel('Port').fill('80');
      await web.click();
    };
    // The other host is asked while the page is open: before it has answered, its container has an address only.
    await until(async () => {
      await traceToWeb();
      const isNamed = (await panel.getByLabel('To').inputValue()) === 'node2/web';
      if (!isNamed) await page.keyboard.press('Escape');
      return isNamed;
    }, 'node2 is offered');
    await page.locator('.trace-reached').waitFor();
    // app, bridge and host here, the peer, host and bridge there, web.
    await page.locator('.trace-edge-passed').nth(5).waitFor();
    assert.equal(await page.locator('.trace-edge').count(), 6);
    for (const passed of ['peer', 'container', 'network', 'host'])
      await page.locator(`.node-${passed}.traced-passed`).first().waitFor();
    assert.equal(await page.locator('.node-host.traced-passed').count(), 2);
    await panel.getByText('node2/web', { exact: true }).first().waitFor();
    await page.keyboard.press('Escape');

    await host('node2').sh('iptables -I FORWARD -p tcp --dport 80 -j DROP');
    await traceToWeb();
    const sentence = panel.getByRole('status');
    await sentence
      .getByText(/Dropped at node2, .* of ip filter FORWARD/)
      .first()
      .waitFor();
    assert.equal(await page.locator('.node-container.traced-missing').count(), 1);
    // From the other host, whose rule drops it, the bridge and web are not reached.
    assert.equal(await page.locator('.node-host.traced-stopped').count(), 1);
    assert.equal(await page.locator('.trace-edge-missing').count(), 2);
    await page.context().close();
  });
});
