import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerItem, PageItem } from './model.ts';
import { matches, parseSearch } from './search.ts';

const web: ContainerItem = {
  ...{ kind: 'container', id: '1', host: 'host:server1', name: 'nginx-1', image: 'nginx-web01', state: 'running' },
  mode: 'bridge',
  endpoints: [{ networkId: 'n', network: 'shop_front', addresses: ['172.17.0.2', 'fd00::2'], names: ['web'] }],
  ports: [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8801, containerPort: 80 }],
  links: [{ name: 'db', alias: 'database' }],
  problems: [],
};
const peer: PageItem = {
  ...{ kind: 'peer', id: '2', host: 'host:server1', name: 'server2', address: '172.16.2.102' },
  ...{ subnets: ['192.168.12.0/24'], origin: 'request', problems: ['route 192.168.12.0/24 is missing'] },
};
const finds = (text: string, item: PageItem = web): boolean => matches(item, parseSearch(text));

test('terms have a field, a value and a sign; incomplete ones are ignored', () => {
  assert.deepEqual(parseSearch('name:Web  -state:exited "a b" net:"x y" foo:1 ip: -'), [
    { field: 'name', value: 'web', isNegated: false },
    { field: 'state', value: 'exited', isNegated: true },
    { field: undefined, value: 'a b', isNegated: false },
    { field: 'net', value: 'x y', isNegated: false },
    { field: undefined, value: 'foo:1', isNegated: false },
    { field: undefined, value: '-', isNegated: false },
  ]);
  assert.deepEqual(parseSearch('   '), []);
});

test('names match in part, also those in the network and of links', () => {
  for (const text of ['name:nginx', 'name:WEB', 'name:database', 'nginx', 'image:web01', 'host:server1', ''])
    assert.ok(finds(text), text);
  assert.ok(!finds('name:server'));
});

test('addresses match from the start, ports exactly', () => {
  for (const text of ['ip:172.17.', 'ip:fd00:', 'port:8801', 'port:80', 'port:80/tcp']) assert.ok(finds(text), text);
  for (const text of ['ip:17.0', 'port:8', 'port:880', 'port:80/udp']) assert.ok(!finds(text), text);
  assert.ok(finds('ip:192.168.12', peer));
});

test('all terms have to match; a sign excludes', () => {
  assert.ok(finds('net:front state:running'));
  assert.ok(!finds('net:front state:exited'));
  assert.ok(!finds('nginx -net:front'));
  assert.ok(finds('state:problem state:down', peer));
  assert.ok(!finds('state:problem'));
});
