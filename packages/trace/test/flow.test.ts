/** A peer's part of a trace: the conversation about it, and what is made of invalid answers. */
import assert from 'node:assert/strict';
import { Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import type { NetyardError } from '@netyard/core';
import { askFlow } from '../src/hosts/ask-flow.ts';
import { type FlowTools, openFlow } from '../src/hosts/flow.ts';
import { selectNamespaces } from '../src/hosts/select.ts';
import { serveFlow } from '../src/hosts/serve-flow.ts';
import type { TracePacket } from '../src/model.ts';
import { hostWith } from './host-fixture.ts';

const web = { name: 'web', network: 'bridge', address: '172.17.0.3' };
const topology = hostWith([web, { name: 'other', network: 'back', address: '172.20.0.2' }]);
const packet: TracePacket = { protocol: 'tcp', sourcePort: 40_000, destination: '172.17.0.3', destinationPort: 80 };

function fakeTools(): FlowTools & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    observe: async () => topology,
    knownHosts: async () => [{ name: 'host0', address: '192.0.2.9', subnets: ['10.9.0.0/24'] }],
    watch: async () => {
      log.push('watch');
      return {
        start: () => undefined,
        peek: async () => [],
        reduce: () => undefined,
        collect: async () => ({ sightings: [], verdicts: [], counters: [], drops: [], incomplete: [] }),
        close: () => void log.push('end watch'),
      };
    },
    arm: async (namespaces) => {
      log.push(`arm ${namespaces.map(({ name }) => name).join(' ')}`);
      return {
        start: () => void log.push('start'),
        peek: async () => [],
        reduce: () => void log.push('reduce'),
        collect: async () => ({
          ...{ verdicts: [], counters: [], drops: [], incomplete: [] },
          sightings: [
            { namespaceId: '1', link: 'eth0', direction: 'in', atMs: 1, packet, isAnswer: false, flags: 'S' },
          ],
        }),
        close: () => void log.push('close'),
      };
    },
    askNeighbour: async (namespace, link, address) => ({ namespaceId: namespace.id, link, address, macs: [] }),
    readConntrack: async () => undefined,
  };
}

test('the peer observes one flow on its way, and says what it saw', async () => {
  const tools = fakeTools();
  const [here, there] = duplexPair();
  const served = serveFlow(await openFlow(tools, { target: 'web', protocol: 'tcp', port: 80 }), {
    ...{ input: there, output: there },
  });
  const session = await askFlow(here);
  assert.equal(session.view.topology.hostName, 'host1');
  assert.deepEqual(session.view.peers, [{ name: 'host0', address: '192.0.2.9', subnets: ['10.9.0.0/24'] }]);
  assert.deepEqual(tools.log, []);
  assert.equal(await session.watch(packet), true);
  assert.deepEqual((await session.collect({ outcome: 'answered' })).sightings, []);
  await session.arm({ ...packet, sourcePort: 40_001 });
  assert.deepEqual(tools.log, ['watch', 'end watch', 'arm host web', 'start']);
  const { sightings, neighbours } = await session.collect({ outcome: 'timeout' });
  assert.deepEqual([sightings[0]?.link, neighbours[0]?.address], ['eth0', '172.17.0.3']);
  await served;
  assert.deepEqual(tools.log.at(-1), 'close');
  session.close();
});

test('the peer stops observing when the host that asked is gone', async () => {
  const tools = fakeTools();
  const [here, there] = duplexPair();
  const served = serveFlow(await openFlow(tools, { target: '172.17.0.3', protocol: 'icmp' }), {
    ...{ input: there, output: there },
  });
  const session = await askFlow(here);
  await session.arm({ ...packet, protocol: 'icmp' });
  session.close();
  there.destroy(); // duplexPair does not pass it on, sockets do
  await served;
  assert.deepEqual(tools.log.at(-1), 'close');
});

test('the second probe ends the observation of the first, and there is no third', async () => {
  const tools = fakeTools();
  const session = await openFlow(tools, { target: 'web', protocol: 'tcp', port: 80 });
  await session.watch(packet);
  await session.arm(packet);
  assert.deepEqual(tools.log, ['watch', 'end watch', 'arm host web', 'start']);
  await assert.rejects(session.arm(packet), /a flow is observed once/);
  await assert.rejects(session.watch(packet), /a flow is observed once/);
  session.close();
  assert.equal(tools.log.at(-1), 'close');
});

test('the peer traces rules no longer than the first packets need, and says what it may have missed', async () => {
  const tools = fakeTools();
  const reduced = Promise.withResolvers<void>();
  const seen = {
    namespaceId: '1',
    link: 'eth0',
    direction: 'in',
    atMs: 0,
    packet,
    isAnswer: false,
    flags: 'S',
  } as const;
  const late = { namespaceId: '1', reason: 'NETFILTER_DROP', atMs: 60_000, packet, isAnswer: true, flags: 'SA' };
  tools.arm = async () => ({
    start: () => undefined,
    peek: async () => [seen],
    reduce: () => reduced.resolve(),
    collect: async () => ({ sightings: [seen], verdicts: [], counters: [], drops: [late], incomplete: [] }),
    close: () => undefined,
  });
  const session = await openFlow(tools, { target: 'web', protocol: 'tcp', port: 80 });
  await session.arm(packet);
  await reduced.promise;
  const { incomplete } = await session.collect({ outcome: 'timeout' });
  assert.match(incomplete.join(), /^rules were traced for \d+ ms: what happened later is known without them$/);
  session.close();
});

test('questions about more than one probe, or about none, are refused', async () => {
  for (const question of ['{}', '{"arm":{"protocol":"tcp","destination":"; reboot"}}', 'no JSON', 'x'.repeat(5000)]) {
    const tools = fakeTools();
    const [here, there] = duplexPair();
    const served = serveFlow(await openFlow(tools, { target: 'web', protocol: 'tcp', port: 80 }), {
      ...{ input: there, output: there },
    });
    const session = await askFlow(here);
    here.write(`${question}\n`);
    await served;
    assert.equal(
      tools.log.some((line) => line.startsWith('arm')),
      false,
      question,
    );
    session.close();
  }
});

test('answers of a peer that are none are refused, whatever is wrong with them', async () => {
  const view = { topology, peers: [] };
  const badLink = structuredClone(topology);
  const [first] = badLink.namespaces;
  if (first?.links[0]) first.links[0].name = 'a b';
  const answers: readonly (readonly [string, RegExp])[] = [
    ['', /ended the connection/],
    ['hello\n', /no JSON/],
    ['{}\n', /none to the question/],
    ['{"view":{"topology":{}}}\n', /invalid: view\.topology/],
    [`${JSON.stringify({ view: { ...view, topology: badLink } })}\n`, /links\.0\.name is no name of an interface/],
    [`{"error":{"message":"busy"}}\n`, /^busy$/],
  ];
  for (const [text, message] of answers) {
    const stream = Duplex.from([Buffer.from(text)]);
    await assert.rejects(askFlow(stream), (error: NetyardError) => message.test(error.message), text);
  }
});

test('a peer observes the namespaces of the target, and of containers that publish its port', () => {
  const published = hostWith([
    web,
    {
      ...{ name: 'front', network: 'bridge', address: '172.17.0.4' },
      rest: { ports: [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 }] },
    },
  ]);
  const select = (target: string, port: number): string[] => [
    ...selectNamespaces(published, { target, protocol: 'tcp', port }),
  ];
  assert.deepEqual(select('web', 80), ['1', '1000']);
  assert.deepEqual(select('172.17.0.3', 80), ['1', '1000']);
  assert.deepEqual(select('192.0.2.1', 8080), ['1', '1001']);
  assert.deepEqual(select('192.0.2.1', 81), ['1']);
});
