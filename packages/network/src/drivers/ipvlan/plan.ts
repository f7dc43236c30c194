/** Plans of an ipvlan network and its endpoints. Pure. */
import type { NetworkRecord } from '../../contract.ts';
import { openAttachedPlanner } from '../attached-planner.ts';
import type { NetworkPlanner } from '../driver.ts';
import { parentInterface } from '../parent.ts';
import { ipvlanSettings } from './options.ts';

export function openIpvlanPlanner(record: NetworkRecord): NetworkPlanner {
  const parent = parentInterface('di-', record);
  const settings = { ...ipvlanSettings(record), parent: parent.link };
  return openAttachedPlanner({
    parent,
    internal: record.internal,
    planLink: ({ endpoint: { link: name }, netnsPath: ns }) => ({ kind: 'ipvlan', ns, name, ...settings, up: true }),
  });
}
