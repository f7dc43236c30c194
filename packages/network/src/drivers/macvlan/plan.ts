/** Plans of a macvlan network and its endpoints. Pure. */
import type { NetworkRecord } from '../../contract.ts';
import { openAttachedPlanner } from '../attached-planner.ts';
import type { NetworkPlanner } from '../driver.ts';
import { parentInterface } from '../parent.ts';
import { hostAccess } from './host-access.ts';
import { macvlanSettings } from './options.ts';

export function openMacvlanPlanner(record: NetworkRecord): NetworkPlanner {
  const parent = parentInterface('dm-', record);
  const settings = { ...macvlanSettings(record), parent: parent.link };
  const access = hostAccess(record, settings);
  return openAttachedPlanner({
    parent,
    internal: record.internal,
    planLink: ({ endpoint: { link: name, mac }, netnsPath: ns }) => ({
      ...{ kind: 'macvlan', ns, name, ...settings, mac, up: true },
    }),
    ...(access === undefined ? {} : { hostAccess: access }),
  });
}
