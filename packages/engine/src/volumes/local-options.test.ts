import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressToResolve, checkLocalOptions, describeMount, needsMount, planVolumeMount } from './local-options.ts';

const refusal = (options: Record<string, string>): string => {
  try {
    checkLocalOptions('v', options);
    return '';
  } catch (error) {
    return String((error as Error).message);
  }
};

test("invalid options are rejected at create with Docker's messages", () => {
  assert.equal(refusal({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }), '');
  assert.equal(refusal({ size: '0' }), '');
  assert.equal(refusal({ o: 'bind' }), 'create v: missing required option: "device"');
  assert.equal(refusal({ type: 'nfs', o: 'a' }), 'create v: missing required option: "device"');
  assert.equal(refusal({ device: '/a', o: 'bind' }), 'create v: missing required option: "type"');
  assert.equal(refusal({ Type: 'a' }), 'create v: invalid option: "Type"');
  assert.equal(refusal({ size: '1g' }), 'create v: quota size requested but no quota support');
  assert.equal(refusal({ size: 'x' }), "create v: invalid size: 'x'");
  const port = "create v: port not allowed in CIFS device URL, include 'port' in 'o='";
  assert.equal(refusal({ type: 'cifs', device: '//host:445/share' }), port);
  assert.equal(refusal({ type: 'cifs', device: '//host/share' }), '');
});

test('a server name is resolved, an address is passed on', () => {
  const nfs = { type: 'nfs', device: ':/export', o: 'addr=server,rw,nfsvers=4' };
  assert.equal(addressToResolve(nfs), 'server');
  assert.equal(addressToResolve({ ...nfs, o: 'addr=10.0.0.1' }), undefined);
  assert.equal(addressToResolve({ ...nfs, type: 'tmpfs' }), undefined);
  assert.deepEqual(planVolumeMount(nfs, '10.0.0.1'), {
    source: ':/export',
    type: 'nfs',
    flags: 0,
    data: 'addr=10.0.0.1,nfsvers=4',
  });
  assert.equal(planVolumeMount({ ...nfs, o: 'addr=10.0.0.1,ro' }).data, 'addr=10.0.0.1');
  const mountd = { ...nfs, o: 'mountaddr=server,addr=server' };
  assert.equal(planVolumeMount(mountd, '10.0.0.1').data, 'mountaddr=server,addr=10.0.0.1');
  const cifs = { type: 'cifs', device: '//files.example/share', o: 'username=u' };
  assert.equal(addressToResolve(cifs), 'files.example');
  assert.equal(addressToResolve({ ...cifs, device: '//10.0.0.2/share' }), undefined);
  assert.equal(addressToResolve({ ...cifs, o: 'addr=server' }), 'server');
  assert.equal(planVolumeMount(cifs, '10.0.0.2').source, '//10.0.0.2/share');
  assert.throws(() => planVolumeMount({ type: 'tmpfs', device: '' }), /missing device in volume options/);
});

test('a failed mount is described without its password', () => {
  const call = planVolumeMount({ type: 'cifs', device: '//h/s', o: 'ro,username=u,password=p' });
  assert.equal(describeMount('/v', call), 'mount //h/s:/v, flags: 0x1, data: username=u,password=********');
  assert.equal(describeMount('/v', { source: 'a', type: 'b', flags: 0, data: '' }), 'mount a:/v');
});

test('a volume without type and device needs no mount', () => {
  assert.equal(needsMount({}), false);
  assert.equal(needsMount({ size: '0' }), false);
  assert.equal(needsMount({ type: 'tmpfs', device: '' }), true);
});
