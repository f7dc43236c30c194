import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Asker, findEndpoints, findName } from './asker.ts';
import { EndpointIndex } from './endpoint-names.ts';

const index = new EndpointIndex();
let last = 1;
/** Puts a container on networks, under its id and these names. */
function add(containerId: string, networks: readonly string[], ...names: string[]): void {
  last += 1;
  const address = `10.0.0.${last}`;
  index.set(
    containerId,
    networks.map((network) => ({ containerId, network, names: [containerId, ...names], addresses: [address] })),
  );
}

const on = (networks: readonly string[], links: Record<string, string> = {}, project?: string): Asker => ({
  networks: networks.map((id) => ({ id, name: id, aliases: new Map(Object.entries(links)) })),
  project,
});

const projects: Record<string, string> = { 'api-a': 'a', 'api-b': 'b', 'proxy-a': 'a' };
const find = (asker: Asker, name: string): string[] =>
  findEndpoints(index, asker, name, (id) => projects[id]).map(({ containerId }) => containerId);

add('web', ['front', 'back'], 'www');
add('db', ['back'], 'Database', 'db.local');
add('worker-1', ['back'], 'worker');
add('worker-2', ['back'], 'worker');
add('api-a', ['shared', 'a'], 'api');
add('api-b', ['shared', 'b'], 'api');

test('names, aliases and NAME.NETWORK are found in any case, on the networks of the asker only', () => {
  for (const name of ['db', 'DB', 'database', 'db.', 'db.back', 'db.BACK', 'db.local', 'db.local.back'])
    assert.deepEqual(find(on(['front', 'back']), name), ['db'], name);
  for (const name of ['db', 'db.back', 'db.front', 'worker'])
    assert.deepEqual(find(on(['front']), name), [], `${name} is on another network`);
  assert.deepEqual(find(on(['front', 'back']), 'web.example.back'), []);
  assert.deepEqual(find(on([]), 'web'), []);
});

test('the first network that knows the name wins, several containers of one name are all found', () => {
  assert.deepEqual(find(on(['front', 'back']), 'worker').sort(), ['worker-1', 'worker-2']);
  add('other', ['front'], 'worker');
  assert.deepEqual(find(on(['front', 'back']), 'worker'), ['other']);
  assert.deepEqual(find(on(['back', 'front']), 'worker').length, 2);
  index.set('other', []);
  assert.deepEqual(find(on(['front', 'back']), 'worker').length, 2);
});

test('an alias of a link belongs to its container, and hides a container of the same name', () => {
  assert.deepEqual(find(on(['back'], { store: 'db' }), 'store'), ['db']);
  assert.deepEqual(find(on(['back']), 'store'), []);
  assert.deepEqual(find(on(['back'], { web: 'worker' }), 'web').length, 2, 'a target is any name on the network');
  assert.deepEqual(find(on(['back'], { web: 'gone' }), 'web'), []);
});

test('an ambiguous name is that of the own project, else of the project with most common networks', () => {
  assert.deepEqual(find(on(['shared'], {}, 'a'), 'api'), ['api-a']);
  assert.deepEqual(find(on(['shared'], {}, 'b'), 'api'), ['api-b']);
  assert.deepEqual(find(on(['shared', 'b']), 'api'), ['api-b']);
  assert.deepEqual(find(on(['shared']), 'api').length, 2);
  assert.deepEqual(find(on(['shared'], {}, 'c'), 'api').length, 2);
});

test('a name that containers of one project, or without one, have stands for all of them', () => {
  add('member-1', ['shared', 'a'], 'pool');
  add('member-2', ['shared'], 'pool');
  assert.deepEqual(find(on(['shared', 'a']), 'pool').sort(), ['member-1', 'member-2']);
  Object.assign(projects, { 'member-1': 'a', 'member-2': 'a' });
  assert.deepEqual(find(on(['shared', 'a']), 'pool').sort(), ['member-1', 'member-2']);
  projects['member-2'] = 'b';
  assert.deepEqual(find(on(['shared', 'a']), 'pool'), ['member-1']);
});

test('an address has the first name of its container on the network of the asker', () => {
  const address = index.named('back', 'db')[0]?.addresses[0] ?? '';
  assert.equal(findName(index, on(['front', 'back']), address), 'db.back');
  assert.equal(findName(index, on(['front']), address), undefined);
});

test('a replaced container leaves no names', () => {
  add('web', ['front'], 'site');
  assert.deepEqual(find(on(['front', 'back']), 'www'), []);
  assert.deepEqual(find(on(['back']), 'web'), []);
  assert.deepEqual(find(on(['front']), 'site'), ['web']);
  index.set('web', []);
  assert.deepEqual(find(on(['front']), 'web'), []);
});

test('names of thousands of containers on one network are found', () => {
  const many = new EndpointIndex();
  for (let at = 0; at < 5000; at += 1)
    many.set(`c${at}`, [
      { containerId: `c${at}`, network: 'n', names: [`c${at}`], addresses: [`10.0.${at >> 8}.${at & 255}`] },
    ]);
  assert.equal(many.named('n', 'C4999')[0]?.containerId, 'c4999');
  assert.equal(many.at('n', '10.0.1.2')?.containerId, 'c258');
});
