import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultArchiveLimits, isNetyardError } from '@netyard/core';
import { parseConfigFile, planConfig } from './config.ts';

const refused = (pattern: RegExp) => (error: unknown) =>
  isNetyardError(error, 'invalid') && pattern.test(`${error.message} ${error.hint ?? ''}`);

test('defaults are dockerd-like, frozen and complete', () => {
  const config = planConfig({}, {}, {});
  assert.ok(Object.isFrozen(config));
  assert.deepEqual(config.hosts, [{ kind: 'unix', path: '/run/netyard/netyard.sock' }]);
  assert.equal(config.bip, '172.17.0.1/16');
  assert.equal(config.pidfile, '/run/netyard/netyard.pid');
  assert.equal(config.liveRestore, true);
  assert.equal(config.legacyLinkEnvironment, false);
  assert.equal(planConfig({}, {}, { DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS: '1' }).legacyLinkEnvironment, true);
});

test('flags and file are combined; an option in both is rejected', () => {
  const file = parseConfigFile(
    '{"bip": "192.168.11.1/24", "icc": false, "foreign-firewall": false, "tunnel-firewall": false, "dns": ["9.9.9.9"]}',
    'daemon.json',
  );
  const config = planConfig({ mtu: 1400 }, file, {});
  assert.equal(config.bip, '192.168.11.1/24');
  assert.equal(config.icc, false);
  assert.equal(config.foreignFirewall, false);
  assert.equal(config.tunnelFirewall, false);
  assert.equal(config.mtu, 1400);
  const peers = parseConfigFile('{"peers": ["server2=172.16.2.102,192.168.12.0/24"]}', 'daemon.json');
  assert.deepEqual(planConfig({}, peers, {}).peers, [
    { name: 'server2', address: '172.16.2.102', subnets: ['192.168.12.0/24'], via: 'auto' },
  ]);
  assert.deepEqual(config.dns, ['9.9.9.9']);
  assert.throws(() => planConfig({ bip: '10.0.0.1/24' }, file, {}), refused(/both as a flag .* bip: \(from flag: 10/));
});

test('pools of subnets are given by flags, or in the file as by dockerd', () => {
  assert.deepEqual(planConfig({}, {}, {}).defaultAddressPools, []);
  const pool = { base: '10.10.0.0/16', size: 24 };
  const flags = { 'default-address-pools': ['base=10.10.0.0/16,size=24', 'base=10.20.0.0/16,size=28'] };
  assert.deepEqual(planConfig(flags, {}, {}).defaultAddressPools, [pool, { base: '10.20.0.0/16', size: 28 }]);
  const file = parseConfigFile(JSON.stringify({ 'default-address-pools': [pool] }), 'daemon.json');
  assert.deepEqual(planConfig({}, file, {}).defaultAddressPools, [pool]);
  const wrong = JSON.stringify({ 'default-address-pools': [{ base: '10.10.0.0/16' }] });
  assert.throws(() => parseConfigFile(wrong, 'f'), refused(/default-address-pools must be a list/));
});

test('default options of networks are given by flags, or in the file as by dockerd', () => {
  const key = 'default-network-opts';
  const expected = { bridge: { 'com.docker.network.driver.mtu': '1400', a: 'b=c' }, macvlan: { parent: 'eth1' } };
  const flags = ['bridge=com.docker.network.driver.mtu=1400', 'bridge=a=b=c', 'macvlan=parent=eth1'];
  assert.deepEqual(planConfig({ [key]: flags }, {}, {}).defaultNetworkOptions, expected);
  const file = parseConfigFile(JSON.stringify({ [key]: expected }), 'daemon.json');
  assert.deepEqual(planConfig({}, file, {}).defaultNetworkOptions, expected);
  assert.deepEqual(planConfig({}, {}, {}).defaultNetworkOptions, {});
  assert.throws(() => parseConfigFile(JSON.stringify({ [key]: { bridge: { a: 1 } } }), 'f'), refused(/must be a list/));
  assert.throws(() => planConfig({ [key]: ['bridge=a'] }, {}, {}), refused(/must be DRIVER=OPTION=VALUE/));
});

test('an invalid file is rejected before anything is changed', () => {
  assert.throws(() => parseConfigFile('{', 'f'), refused(/unable to configure .* file f/));
  assert.throws(() => parseConfigFile('[]', 'f'), refused(/not a JSON object/));
  assert.throws(() => parseConfigFile('{"bib": "x"}', 'f'), refused(/don't match any configuration option: bib/));
  assert.throws(() => parseConfigFile('{"icc": "no"}', 'f'), refused(/icc must be a switch/));
  assert.throws(() => parseConfigFile('{"dns": "1.1.1.1"}', 'f'), refused(/dns must be a list/));
});

test('invalid values are rejected', () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ bip: '192.168.11.1' }, /invalid CIDR address: 192.168.11.1/],
    [{ bip: '192.168.11.1/33' }, /invalid CIDR address/],
    [{ bip: 'fd00::1/64' }, /IPv4/],
    [{ bip: '10.0.0.1/31' }, /no room/],
    [{ bip: '10.0.0.0/24' }, /invalid bip 10.0.0.0\/24: not the address of a host in its subnet/],
    [{ bip: '10.0.0.255/24' }, /not the address of a host/],
    [{ 'fixed-cidr': '10.0.0.0/24' }, /not part of/],
    [{ bip: '10.0.0.1/24', bridge: 'br0' }, /mutually exclusive/],
    [{ mtu: 67 }, /--mtu/],
    [{ 'default-address-pools': ['base=10.0.0.0/8'] }, /both base and size are required/],
    [{ 'default-address-pools': [{ base: '10.0.0.1/8', size: 24 }] }, /it should be 10.0.0.0\/8/],
    [{ 'repair-containers': 'yes' }, /invalid value "yes" for --repair-containers: must be one of auto, always, never/],
    [{ peers: ['server2'] }, /invalid peer "server2" write NAME=ADDRESS/],
    [{ peers: ['a=10.0.0.1,0.0.0.0/0'] }, /is too large/],
    [{ mtu: Number.NaN }, /--mtu/],
    [{ dns: ['nine'] }, /is not an ip address/],
    [{ 'data-root': 'relative' }, /absolute path/],
    [{ 'containerd-namespace': '../x' }, /containerd-namespace/],
    [{ 'log-level': 'loud' }, /one of debug/],
    [{ hosts: ['http://x'] }, /unable to parse docker host/],
    [{ hosts: ['tcp://0.0.0.0:2375'] }, /client certificates/],
    [{ hosts: [`unix:///${'x'.repeat(120)}`] }, /107 bytes/],
    [{ 'max-archive-entries': 0 }, /--max-archive-entries: must be a whole number, 1 or more/],
    [{ 'max-image-archive-files': 1.5 }, /--max-image-archive-files/],
    [{ 'max-archive-size': '1x' }, /invalid size: '1x'/],
    [{ 'max-archive-ratio': -1 }, /0 or more/],
    [{ 'journal-size': '4k' }, /"4k" for --journal-size: must be 0, or 64k or more/],
    [{ 'journal-age': 0 }, /--journal-age: must be a whole number, 1 or more/],
    [{ tls: true }, /--tlsverify/],
    [{ tlsverify: true, tlscert: 'a' }, /requires --tlscacert, --tlskey/],
  ];
  for (const [flags, pattern] of cases)
    assert.throws(() => planConfig(flags, {}, {}), refused(pattern), String(pattern));
});

test('a cluster host announces its API and has a client certificate for others', () => {
  const cluster = { cluster: 'etcd://10.0.0.1' };
  const tls = { tlsverify: true, tlscacert: '/a', tlscert: '/b', tlskey: '/c' };
  const hosts = ['unix:///run/x.sock', 'tcp://0.0.0.0:2376', 'tcp://[::1]:2377'];
  const files = { 'cluster-api-ca': '/ca', 'cluster-api-cert': '/cert', 'cluster-api-key': '/key' };
  const config = planConfig({ hosts, ...tls }, { ...cluster, ...files }, {});
  assert.deepEqual(config.cluster?.listeners, [
    { address: '0.0.0.0', port: 2376 },
    { address: '::1', port: 2377 },
  ]);
  assert.deepEqual(config.cluster?.apiFiles, { ca: '/ca', certificate: '/cert', key: '/key' });
  assert.equal(planConfig(cluster, {}, {}).cluster?.apiFiles, undefined);
  assert.throws(() => planConfig(files, {}, {}), refused(/--cluster-api-ca requires --cluster/));
  const { 'cluster-api-key': _, ...some } = files;
  assert.throws(
    () => planConfig({ ...cluster, ...some }, {}, {}),
    refused(/must be used together: add --cluster-api-key/),
  );
});

test('limits of archives have defaults, and values from the file', () => {
  assert.deepEqual(planConfig({}, {}, {}).archiveLimits, defaultArchiveLimits);
  const text =
    '{"max-archive-entries": 5, "max-image-archive-files": 6, "max-archive-size": "2k", "max-archive-ratio": 7}';
  const given = planConfig({}, parseConfigFile(text, 'daemon.json'), {}).archiveLimits;
  assert.deepEqual(given, { entries: 5, imageFiles: 6, bytes: 2048, ratio: 7 });
});

test('tcp is accepted when client certificates are required', () => {
  const flags = { tlsverify: true, tlscacert: '/a', tlscert: '/b', tlskey: '/c', hosts: ['tcp://[::1]:2376'] };
  assert.deepEqual(planConfig(flags, {}, {}).hosts, [{ kind: 'tcp', host: '::1', port: 2376 }]);
});
