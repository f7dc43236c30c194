/** Cuts and restores the cables between hosts and switches of a standing lab. */
import { NetyardError } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import type { LabUplink } from './definition.ts';
import { namespacesOf } from './layout.ts';
import { planCable } from './link-plan.ts';
import { type FoundHost, findLabHost } from './list.ts';
import { isAlive } from './process-table.ts';
import { readHostState, withHost, writeHostState } from './state.ts';

/**
 * `[LAB/]HOST` means its one cable, `[LAB/]HOST:SWITCH` that to a switch. The host keeps its address and sees its link
 * without carrier. Doing it twice does nothing; a host that is off finds its cable so when it starts.
 */
export async function setCable(wanted: string, state: 'up' | 'down'): Promise<void> {
  const [name = '', on] = wanted.split(':');
  const found = findLabHost(name);
  const uplink = findUplink(found, on);
  const lab = found.state.lab;
  await withHost(lab.name, found.host.name, async () => {
    const remembered = readHostState(lab.name, found.host.name);
    if (!remembered) throw new NetyardError('conflict', `lab host ${lab.name}/${found.host.name} was not made`);
    const others = remembered.cut.filter((one) => one !== uplink.switch);
    writeHostState(lab.name, found.host.name, {
      ...remembered,
      cut: state === 'down' ? [...others, uplink.switch] : others,
    });
    if (!remembered.init || !isAlive(remembered.init)) return;
    const { init } = remembered;
    const kernel = openKernel();
    try {
      const namespaces = namespacesOf(lab.name, () => init);
      await kernel.apply(planCable(lab, uplink, namespaces, state));
    } finally {
      kernel.close();
    }
  });
}

function findUplink({ state, host }: FoundHost, on: string | undefined): LabUplink {
  const names = host.uplinks.map((uplink) => uplink.switch);
  const words = `${state.lab.name}/${host.name}`;
  if (on === undefined && host.uplinks.length > 1)
    throw new NetyardError(
      'invalid',
      `${words} has several cables: ${names.map((one) => `${words}:${one}`).join(', ')}`,
    );
  const uplink = host.uplinks.find((one) => on === undefined || one.switch === on);
  if (uplink) return uplink;
  throw new NetyardError('not-found', `${words} has no cable to ${on}: it is on ${names.join(', ')}`);
}
