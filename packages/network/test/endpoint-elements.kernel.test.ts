/** Tests that elements of endpoints are recognized in the kernel's events, as nft encodes their keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KernelEvent, openKernel } from '@netyard/kernel';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { element, planTables } from '../src/firewall/table.ts';
import { EndpointElements } from '../src/reconcile/endpoint-elements.ts';

const host = inFreshHost(import.meta.url);

const link = '"ny-0123456789ab"';
const mac = `${link} . 02:42:0a:1e:00:02`;
const elements = [
  element('isolated_ports', link, {}),
  element('relay_denied_ports', link, {}),
  element('checked_ports', link, {}),
  element('endpoint_macs', mac, {}),
  element('endpoint_addresses', `${mac} . 10.30.0.2`, {}),
  element('endpoint_addresses6', `${mac} . fd00:30::2`, {}),
  element('endpoint_targets', `${mac} . 0xfd000030000000000000000000000002`, {}),
  element('endpoint_lladdrs', `${mac} . 0x2420a1e0002`, {}),
];

test('the elements of an endpoint are those of its plan, in all sets', host, async (t) => {
  const kernel = openKernel();
  t.after(() => kernel.close());
  const changed = new EndpointElements();
  const noted = new Set<string>();
  const note = async (): Promise<void> => {
    for await (const event of kernel.watch(t.signal))
      if (isOfElement(event) && changed.note(event)) noted.add(`${event.action} ${event.set}`);
  };
  const watching = note();
  const dependencies = {
    hostLinks: { ownerOf: (name: string) => (`"${name}"` === link ? 'web' : undefined) },
    attachments: { plan: () => elements },
  };
  const tables = planTables({
    marks: false,
    routesOnlyOwn: false,
    checksSources: true,
    guarded: false,
    ipv6: undefined,
  });
  await kernel.apply({ owner: 'test', objects: [...tables, ...elements] });
  await eventually('the new elements are noted', () => noted.size === elements.length);
  assert.deepEqual(changed.compare(dependencies), { incomplete: new Set(), hasUnplanned: false, isPending: false });
  for (const { set } of elements) {
    noted.clear();
    sh(`nft flush set bridge netyard ${set}`);
    await eventually(`the deletion in ${set} is noted`, () => noted.has(`del ${set}`));
    assert.deepEqual(
      changed.compare(dependencies),
      { incomplete: new Set(['web']), hasUnplanned: false, isPending: false },
      set,
    );
  }
  kernel.close();
  await watching;
});

const isOfElement = (event: KernelEvent): event is Extract<KernelEvent, { type: 'nft' }> =>
  event.type === 'nft' && event.what === 'element';
