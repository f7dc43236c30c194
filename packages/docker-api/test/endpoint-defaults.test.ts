/** What create requests set for the endpoint of the network mode: MAC address and `--sysctl` of its interface. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInspect } from '@netyard/api-types';
import { isNetyardError } from '@netyard/core';
import { containerCreateSchema } from '../src/schemas/bodies.ts';
import { translateContainerCreate } from '../src/translate/container-create.ts';
import { translateContainerInspect } from '../src/translate/container-inspect.ts';
import { details, someRecord } from './fake-engine.ts';

const create = (body: object, minor = 47) =>
  translateContainerCreate(containerCreateSchema.parse(body), { major: 1, minor }, { init: false });
const inspected = (changes: Partial<typeof details>) =>
  translateContainerInspect({ ...details, ...changes }, { major: 1, minor: 51 }) as ContainerInspect;
const refused = (message: string | RegExp) => (error: unknown) =>
  isNetyardError(error) && (typeof message === 'string' ? error.message === message : message.test(error.message));

test('a container-wide MAC address applies to the network of the mode, with a warning since 1.44', () => {
  const body = { Image: 'a', MacAddress: '02:42:ac:11:00:09' };
  const endpoints = [{ network: 'bridge', macAddress: '02:42:ac:11:00:09' }];
  const now = create(body);
  assert.deepEqual(now.config.endpoints, endpoints);
  assert.match(now.warnings.join(), /container-wide MacAddress field is now deprecated/);
  assert.deepEqual(create(body, 43).warnings, []);
  assert.throws(() => create({ ...body, MacAddress: 'zz' }), refused('invalid MAC address: zz'));
  for (const NetworkMode of ['host', 'none', 'container:x'])
    assert.throws(
      () => create({ ...body, HostConfig: { NetworkMode } }, 43),
      refused('conflicting options: mac-address and the network mode'),
    );
  const own = { NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress: '02:42:ac:11:00:08' } } } };
  assert.throws(() => create({ ...body, ...own }), refused(/^the container-wide MAC address must match/));
  assert.deepEqual(create({ ...body, ...own }, 43).config.endpoints, endpoints, 'endpoints have none before 1.44');
});

test('neither adds a network to those of the request', () => {
  const other = { NetworkingConfig: { EndpointsConfig: { front: {} } } };
  const mac = { Image: 'a', MacAddress: '02:42:ac:11:00:09', ...other };
  const sysctl = { Image: 'a', HostConfig: { Sysctls: { 'net.ipv4.conf.eth0.proxy_arp': '1' } }, ...other };
  const reason = 'HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks';
  assert.throws(
    () => create(mac, 44),
    refused(new RegExp(`^unable to migrate container-wide MAC address .*${reason}$`)),
  );
  assert.throws(() => create(sysctl, 44), refused(new RegExp(`^unable to find a network for sysctl .*${reason}$`)));
  for (const body of [mac, sysctl])
    assert.deepEqual(
      create(body, 43).config.endpoints.map(({ network }) => network),
      ['front'],
      'before 1.44 the only one',
    );
});

test('a sysctl of eth0 becomes a driver option of the endpoint before API 1.48, and is rejected since', () => {
  const option = 'com.docker.network.endpoint.sysctls';
  const asking = (Sysctls: object, NetworkMode = 'front') => ({ Image: 'a', HostConfig: { NetworkMode, Sysctls } });
  const body = asking({
    'net.ipv4.conf.eth0.proxy_arp': '1',
    'net.core.somaxconn': '9',
    'net.ipv6.conf.eth0.mtu': '1400',
  });
  const { config, warnings } = create(body, 47);
  const settings = 'net.ipv4.conf.IFNAME.proxy_arp=1,net.ipv6.conf.IFNAME.mtu=1400';
  assert.deepEqual(config.endpoints, [{ network: 'front', driverOptions: { [option]: settings } }]);
  assert.deepEqual(config.sysctls, { 'net.core.somaxconn': '9' });
  const keys = '"net.ipv4.conf.eth0.proxy_arp,net.ipv6.conf.eth0.mtu"';
  assert.deepEqual(warnings, [`Migrated sysctl ${keys} to DriverOpts{"${option}":"${settings}"}.`]);
  const EndpointsConfig = {
    front: { Aliases: ['x'], DriverOpts: { [option]: 'net.ipv4.conf.IFNAME.log_martians=1' } },
  };
  assert.deepEqual(create({ ...body, NetworkingConfig: { EndpointsConfig } }, 47).config.endpoints, [
    {
      network: 'front',
      aliases: ['x'],
      driverOptions: { [option]: `${settings},net.ipv4.conf.IFNAME.log_martians=1` },
    },
  ]);
  assert.throws(
    () => create(body, 48),
    refused(/^interface specific sysctl setting "net.ipv4.conf.eth0.proxy_arp" must/),
  );
  assert.throws(
    () => create(asking({ 'net.ipv4.conf.eth1.x': '1' }), 47),
    refused(/^unable to determine network endpoint/),
  );
  const host = create(asking({ 'net.ipv4.conf.eth0.x': '1' }, 'host'), 48).config;
  assert.deepEqual(
    [host.endpoints, host.sysctls],
    [[], { 'net.ipv4.conf.eth0.x': '1' }],
    'checked with all of the host',
  );
});

test('a requested MAC address is shown until the container starts', () => {
  const endpoints = [{ networkId: 'n1', config: { network: 'bridge', macAddress: '02:42:ac:11:00:09' } }];
  const shown = (status: 'created' | 'exited') => {
    const record = { ...someRecord, state: { ...someRecord.state, status } };
    return inspected({ record, network: undefined, endpoints }).NetworkSettings.Networks['bridge']?.MacAddress;
  };
  assert.deepEqual([shown('created'), shown('exited')], ['02:42:ac:11:00:09', '']);
});
