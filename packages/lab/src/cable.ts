/** Cuts and restores the cables between hosts and switches of a running lab. */
import { NetyardError } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import type { LabUplink } from './definition.ts';
import { namespacesOf } from './layout.ts';
import { planCable } from './link-plan.ts';
import { type FoundHost, findLabHost } from './list.ts';
import { isAlive } from './process-table.ts';
import { readHostState, withHost, writeHostState } from './state.ts';

/**
 * `[LAB/]HOST` selects its only cable, `[LAB/]HOST:SWITCH` the one to a switch. The host keeps its address and sees its
 * link without carrier. Idempotent; a host that is off gets the state of its cable when it starts.
 */
export async function setCable(target: string, state: 'up' | 'down'): Promise<void> {
  const [name = '', on] = target.split(':');
  const found = findLabHost(name);
  const uplink = findUplink(found, on);
  const lab = found.state.lab;
  await withHost(lab.name, found.host.name, async () => {
    const saved = readHostState(lab.name, found.host.name);
    if (!saved) throw new NetyardError('conflict', `lab host ${lab.name}/${found.host.name} does not exist`);
    const others = saved.cut.filter((one) => one !== uplink.switch);
    writeHostState(lab.name, found.host.name, {
      ...saved,
      cut: state === 'down' ? [...others, uplink.switch] : others,
    });
    if (!saved.init || !isAlive(saved.init)) return;
    const { init } = saved;
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
  const name = `${state.lab.name}/${host.name}`;
  if (on === undefined && host.uplinks.length > 1)
    throw new NetyardError('invalid', `${name} has several cables: ${names.map((one) => `${name}:${one}`).join(', ')}`);
  const uplink = host.uplinks.find((one) => on === undefined || one.switch === on);
  if (uplink) return uplink;
  throw new NetyardError('not-found', `${name} has no cable to ${on}; it is connected to ${names.join(', ')}`);
}
