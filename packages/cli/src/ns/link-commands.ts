/** `ns veth`, `move`, `rename`, `addr`, `up`, and `link`, which combines them. */
import { NetyardError } from '@netyard/core';
import type { CommandSpec } from '../program/spec.ts';
import { applyChange, applyPlan, namespaces, planFlags } from './apply-plan.ts';
import { checkLinkName, parseInterfaceArgument } from './interface-argument.ts';
import { planLink, planPair } from './plan.ts';

const place = '[NAMESPACE:]INTERFACE';

export const nsLink: CommandSpec = {
  usage: `[OPTIONS] ${place}[=ADDRESS/LENGTH] ${place}[=ADDRESS/LENGTH]`,
  args: [2, 2],
  flags: planFlags,
  description:
    'Creates a veth pair with each end in its namespace, named, addressed and up. Without NAMESPACE, or with an\nempty one, an end is in the current namespace.',
  examples: [
    'netyard ns link r1:eth0=10.1.1.1/24 r2:eth0=10.1.1.2/24',
    'netyard ns link :veth1.1=10.1.1.1/24 r2:eth0=10.1.1.2/24',
    'netyard ns link --dry-run r1:eth0 r2:eth0',
  ],
  complete: 'namespaces',
  run: async (context, { args: [near = '', far = ''], flags }) => {
    const places = [parseInterfaceArgument(near), parseInterfaceArgument(far)] as const;
    const plan = planPair(...places, await namespaces(), true);
    await rejectExisting(places);
    return await applyPlan(context, flags, plan);
  },
};

export const nsVeth: CommandSpec = {
  usage: `[OPTIONS] ${place} ${place}`,
  args: [2, 2],
  flags: planFlags,
  examples: ['netyard ns veth veth1.1 veth1.2', 'netyard ns veth veth1.1 r2:eth0'],
  complete: 'namespaces',
  run: async (context, { args: [near = '', far = ''], flags }) => {
    const places = [parseInterfaceArgument(near), parseInterfaceArgument(far)] as const;
    const plan = planPair(...places, await namespaces(), false);
    await rejectExisting(places);
    return await applyPlan(context, flags, plan);
  },
};

/** Rejects interface names that exist: apply would take the existing interface for a part of the new pair. */
async function rejectExisting(places: readonly { ns: string; link: string }[]): Promise<void> {
  const { openKernel } = await import('@netyard/kernel');
  const pathOf = await namespaces();
  const kernel = openKernel();
  try {
    for (const { ns, link } of places) {
      const links = await kernel.listLinks(pathOf(ns));
      if (!links.some(({ name }) => name === link)) continue;
      const where = ns === '' ? '' : ` in namespace ${ns}`;
      throw new NetyardError('conflict', `interface ${link}${where}: File exists`);
    }
  } finally {
    kernel.close();
  }
}

const ipIn = (ns: string): string[] => (ns === '' ? ['ip'] : ['ip', '-n', ns]);

export const nsMove: CommandSpec = {
  usage: `[OPTIONS] ${place} NAMESPACE[:NAME]`,
  args: [2, 2],
  flags: planFlags,
  description:
    'A moved interface is down and has no addresses. Use `:` as NAMESPACE to move it to the current namespace.',
  examples: ['netyard ns move veth1.2 r2', 'netyard ns move veth1.2 r2:eth0', 'netyard ns move r2:eth0 :veth1.2'],
  complete: 'namespaces',
  run: async (context, { args: [what = '', where = ''], flags }) => {
    const { link, ns } = parseInterfaceArgument(what);
    const [target = '', name] = where.split(':', 2);
    if (name !== undefined && name !== '') checkLinkName(name, where);
    const renamed = name === '' ? undefined : name;
    const pathOf = await namespaces();
    const { moveLink } = await import('@netyard/kernel');
    const [from, to] = [pathOf(ns), pathOf(target)];
    const command = [...ipIn(ns), 'link', 'set', 'dev', link, 'netns', target === '' ? String(process.pid) : target];
    if (renamed !== undefined) command.push('name', renamed);
    return await applyChange(context, flags, command, () => moveLink(link, from, to, renamed));
  },
};

export const nsRename: CommandSpec = {
  usage: `[OPTIONS] ${place} NAME`,
  args: [2, 2],
  flags: planFlags,
  examples: ['netyard ns rename r2:veth1.2 eth0'],
  complete: 'namespaces',
  run: async (context, { args: [what = '', name = ''], flags }) => {
    const { link, ns } = parseInterfaceArgument(what);
    checkLinkName(name);
    const path = (await namespaces())(ns);
    const { renameLink } = await import('@netyard/kernel');
    const command = [...ipIn(ns), 'link', 'set', 'dev', link, 'name', name];
    return await applyChange(context, flags, command, () => renameLink(link, path, name));
  },
};

export const nsAddr: CommandSpec = {
  usage: `[OPTIONS] ${place}=ADDRESS/LENGTH`,
  args: [1, 1],
  flags: planFlags,
  examples: ['netyard ns addr r2:eth0=10.1.1.2/24'],
  complete: 'namespaces',
  run: async (context, { args: [what = ''], flags }) => {
    const target = parseInterfaceArgument(what);
    if (target.addresses.length === 0) {
      throw new NetyardError('invalid', `no address in ${JSON.stringify(what)}`, {
        hint: 'add one: r2:eth0=10.1.1.2/24',
      });
    }
    return await applyPlan(context, flags, planLink(target, await namespaces(), undefined));
  },
};

export const nsUp: CommandSpec = {
  usage: `[OPTIONS] ${place}[=ADDRESS/LENGTH]`,
  args: [1, 1],
  flags: [...planFlags, { name: 'down', type: 'bool', help: 'Set the interface down instead' }],
  examples: ['netyard ns up :veth1.1=10.1.1.1/24', 'netyard ns up r2:lo'],
  complete: 'namespaces',
  run: async (context, { args: [what = ''], flags }) =>
    await applyPlan(context, flags, planLink(parseInterfaceArgument(what), await namespaces(), !flags.bool('down'))),
};
