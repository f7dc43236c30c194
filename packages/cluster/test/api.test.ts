/** API URLs in hosts' records: what is announced, what is accepted, and records of older versions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcedApi, isApiOf } from '../src/api.ts';
import { Directory } from '../src/directory.ts';
import { encodeHost, parseHost } from '../src/values.ts';

const address = '172.16.0.12';
const record = { id: 'x', address, subnets: ['192.168.12.0/24'], since: 1_795_464_000_000_000_000n };
const entry = (value: string) => ({ key: '/netyard/c/hosts/node2', value, lease: 1n, modRevision: 1n });
const known = (value: string) => {
  const directory = new Directory({ cluster: 'c', self: 'node1', id: 'id1' });
  directory.replace([entry(value)]);
  return { host: directory.hosts()[0], problems: directory.problems() };
};

test('a host announces its first listener that other hosts can reach at its address', () => {
  const cases: [[string, number][], string | undefined][] = [
    [[], undefined],
    [[['', 2376]], 'https://172.16.0.12:2376'],
    [[['0.0.0.0', 2376]], 'https://172.16.0.12:2376'],
    [[['::', 2376]], 'https://172.16.0.12:2376'],
    [[['127.0.0.1', 2376]], undefined],
    [
      [
        ['10.0.0.1', 2376],
        [address, 2399],
      ],
      'https://172.16.0.12:2399',
    ],
    [[['localhost', 2376]], undefined],
    [[['0.0.0.0', 0]], undefined],
  ];
  for (const [listeners, api] of cases)
    assert.equal(
      announcedApi(
        listeners.map(([at, port]) => ({ address: at, port })),
        address,
      ),
      api,
    );
});

test('of a host with an IPv6 address, the listener must accept IPv6, and the URL has brackets', () => {
  const six = '2001:db8::12';
  const announced = (listening: string): string | undefined => announcedApi([{ address: listening, port: 2376 }], six);
  for (const listening of ['', '::', six, '2001:DB8:0::12'])
    assert.equal(announced(listening), 'https://[2001:db8::12]:2376', listening);
  for (const listening of ['0.0.0.0', '::1', address, 'localhost']) assert.equal(announced(listening), undefined);
  assert.ok(isApiOf('https://[2001:db8::12]:2376', six));
  for (const url of ['https://2001:db8::12:2376', 'https://[2001:db8::13]:2376', 'https://[2001:db8::0012]:2376'])
    assert.ok(!isApiOf(url, six), url);
});

test('only an https URL with the literal address of the host itself is accepted', () => {
  assert.ok(isApiOf('https://172.16.0.12:2376', address));
  for (const url of [
    ...['http://172.16.0.12:2376', 'tcp://172.16.0.12:2376', 'https://172.16.0.13:2376', 'https://node2:2376'],
    ...['https://172.16.0.12', 'https://172.16.0.12:0', 'https://172.16.0.12:65536', 'https://172.16.0.12:2376/'],
    ...['https://a@172.16.0.12:2376', 'https://172.16.0.12:2376\n', 'https://172.16.0.12:2376@evil:1', 'unix:///x', ''],
    ...['https://2886729740:2376', 'https://172.16.12:2376'],
  ])
    assert.ok(!isApiOf(url, address), JSON.stringify(url));
});

test('records with an API, without one (older versions) and with an invalid one are parsed', () => {
  const api = 'https://172.16.0.12:2376';
  assert.deepEqual(parseHost(encodeHost({ ...record, api })), { ...record, api });
  assert.equal(known(encodeHost({ ...record, api })).host?.api, api);
  const expanded = encodeHost({ ...record, address: '2001:DB8:0::12' });
  assert.equal(known(expanded).host?.address, '2001:db8::12');
  for (const bad of ['fe80::1%eth0', 'node2', ''])
    assert.match(
      known(encodeHost({ ...record, address: bad })).problems[0]?.problem ?? '',
      /is not an IP address/,
      bad,
    );
  assert.equal(
    encodeHost(record),
    '{"id":"x","address":"172.16.0.12","subnets":["192.168.12.0/24"],"since":"2026-11-23T20:00:00.000000000Z"}',
    'as it was before there were APIs',
  );
  assert.deepEqual(known(encodeHost(record)).host, {
    ...{ name: 'node2', address, subnets: record.subnets, since: record.since, self: false },
  });
  const elsewhere = known(encodeHost({ ...record, api: 'https://172.16.0.13:2376' }));
  assert.deepEqual([elsewhere.host?.api, elsewhere.host?.refusedApi], [undefined, 'https://172.16.0.13:2376']);
  for (const strange of [7, {}, null, 'x'.repeat(1000)]) {
    const { host, problems } = known(JSON.stringify({ ...JSON.parse(encodeHost(record)), api: strange }));
    assert.deepEqual([host?.name, host?.api, host?.refusedApi, problems], ['node2', undefined, '', []]);
  }
});
