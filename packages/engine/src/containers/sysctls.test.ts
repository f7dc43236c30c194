import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { checkSysctls } from './sysctls.ts';

type Request = Parameters<typeof checkSysctls>[0];

const own: Omit<Request, 'sysctls'> = { networkMode: { kind: 'default' }, ipcMode: '', utsMode: '' } as Request;
const check = (key: string, config: object = {}): void => checkSysctls({ ...own, ...config, sysctls: { [key]: '1' } });

test('settings of the container’s own network, IPC and UTS namespaces are accepted', () => {
  for (const key of [
    'net.core.somaxconn',
    'net/core/somaxconn',
    'net.ipv4.conf.eth0/100.rp_filter',
    'net/ipv4/conf/eth0.100/rp_filter',
    'kernel.shmmax',
    'kernel.sem',
    'fs.mqueue.msg_max',
    'kernel.domainname',
  ])
    check(key);
});

test('settings of the host, and settings that are not namespaced, are rejected', () => {
  const host = { networkMode: { kind: 'host' }, ipcMode: 'host', utsMode: 'host' };
  const refused: [string, object, string][] = [
    ['net.ipv4.ip_forward', host, 'not allowed in host network namespace'],
    ['net/ipv4/ip_forward', host, 'not allowed in host network namespace'],
    ['kernel.shmmax', host, 'is not allowed in the hosts ipc namespace'],
    ['fs.mqueue.msg_max', host, 'is not allowed in the hosts ipc namespace'],
    ['kernel.domainname', host, 'is not allowed in the hosts uts namespace'],
    ['kernel.hostname', {}, 'is not allowed as it conflicts with the OCI "hostname" field'],
    ['vm.swappiness', {}, 'is not in a separate kernel namespace'],
    ['kernel.core_pattern', {}, 'is not in a separate kernel namespace'],
    ['network.x', {}, 'is not in a separate kernel namespace'],
  ];
  for (const [key, config, message] of refused)
    assert.throws(
      () => check(key, config),
      (error) => isNetyardError(error, 'invalid') && error.message === `sysctl "${key}" ${message}`,
      key,
    );
});

test('a name that leads out of its directory is rejected', () => {
  for (const key of [
    'net.//.kernel.core_pattern',
    'net/../kernel/core_pattern',
    'net..core',
    'net.',
    '',
    'net',
    'net.a\nb',
    'net.a\0',
  ])
    assert.throws(() => check(key), /is not a valid name/, JSON.stringify(key));
});
