/** The drawing of a topology from data as the API returns it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DrawnHost, drawSvg } from './topology-svg.ts';

const host = (name: string, other: string, subnet: string): DrawnHost => ({
  name,
  topology: {
    nodes: [
      { id: 'host', kind: 'host', name: 'host', detail: {} },
      { id: 'n', kind: 'network', name: 'bridge', detail: { subnet: `${subnet}.0/24`, link: 'docker0' } },
      { id: 'c2', kind: 'container', name: 'web', detail: { ports: '0.0.0.0:8802->80/tcp' } },
      { id: 'c1', kind: 'container', name: 'db', detail: { ports: '' } },
      { id: `peer ${other}`, kind: 'peer', name: other, detail: { subnets: '10.9.0.0/24' } },
    ],
    edges: [
      { from: 'n', to: 'host', address: `${subnet}.1`, link: 'docker0' },
      { from: 'c2', to: 'n', address: `${subnet}.10`, link: 'ny-2' },
      { from: 'c1', to: 'n', address: `${subnet}.2`, link: 'ny-1' },
      { from: `peer ${other}`, to: 'host', address: `172.16.0.${other.length}`, link: 'ens33' },
    ],
  },
  containers: [
    { Name: '/web', HostConfig: { Links: ['/db:/web/store<1>'] } },
    { Name: '/db', HostConfig: { Links: null } },
  ],
});

const pair = [host('paris', 'oslo', '10.1.0'), host('oslo', 'paris', '10.2.0')];

test('each container is drawn once, with its address and published port', () => {
  const svg = drawSvg(pair);
  for (const found of ['eth0 10.1.0.2<', 'eth0 10.1.0.10<', 'eth0 10.2.0.2<', 'eth0 10.2.0.10<'])
    assert.equal(svg.split(found).length, 2, found);
  assert.equal(svg.split('port 8802 → 80/tcp').length, 3);
});

test('containers are drawn in the numeric order of their addresses', () => {
  const svg = drawSvg(pair);
  assert.ok(svg.indexOf('eth0 10.1.0.2<') < svg.indexOf('eth0 10.1.0.10<'));
});

test('a link is an arrow from the container that has it to its target', () => {
  const [left] = [...drawSvg(pair.slice(0, 1)).matchAll(/<path [^>]*class="link"[^>]*>/g)].map(([path]) => path);
  const [, from, to] = /d="M([\d.]+) \d+ V\d+ H([\d.]+) /.exec(String(left)) ?? [];
  assert.ok(Number(from) > Number(to), String(left));
});

test('text from the API is escaped', () => {
  const svg = drawSvg(pair);
  assert.match(svg, /--link db:store&lt;1&gt;</);
  assert.doesNotMatch(svg, /store<1>/);
});

test('identifiers and generated interface names are not drawn', () => {
  assert.doesNotMatch(drawSvg(pair), /ny-[12]|>c[12]</);
});

test('a route names the peer and its address', () => {
  assert.match(drawSvg(pair), /10\.9\.0\.0\/24 via 172\.16\.0\.4 \(oslo\)</);
});
