/** Causes that nftables verdicts show: Netyard's and other engines' isolation, firewalls of the host. Pure. */
import type { HostContainer, HostNetwork } from '@netyard/topology';
import { commandLine } from '../command-line.ts';
import type { Conclusion, RuleVerdict, TracePacket } from '../model.ts';
import {
  type CauseFinder,
  commandIn,
  commandOf,
  engineCommand,
  nameOf,
  networksOf,
  notReached,
  placeName,
  portText,
  publishCommand,
  type TraceCase,
  targetContainer,
} from './case.ts';
import { internalOnly, isInternalOnly } from './routes.ts';

const drops: readonly RuleVerdict['verdict'][] = ['drop', 'reject'];

export const droppedByRule: CauseFinder = (trace) => {
  const verdict = trace.evidence?.verdicts.find(({ verdict: kind }) => drops.includes(kind));
  if (verdict === undefined) return undefined;
  return isOfEngine(verdict) && !verdict.isAnswer ? droppedByEngine(trace, verdict) : droppedByForeign(trace, verdict);
};

/** Chains and tables by which container engines keep networks apart. */
function isOfEngine({ table, chain, rule, output }: RuleVerdict): boolean {
  if (table === 'netyard' || table === 'netavark' || table === 'docker-bridges') return true;
  if (/^(DOCKER|NETAVARK|CNI)/.test(chain)) return true;
  // dockerd's icc=false is a rule of FORWARD itself, for the bridge as input and output.
  return chain === 'FORWARD' && rule !== undefined && output !== undefined && /iifname "?(docker0|br-)/.test(rule);
}

function droppedByEngine(trace: TraceCase, verdict: RuleVerdict): Conclusion {
  const target = targetContainer(trace);
  const own = networksOf(trace, trace.from.container);
  const theirs = networksOf(trace, target);
  const common = own.find((network) => theirs.some(({ id, engine }) => id === network.id && engine === network.engine));
  if (verdict.comment === 'icc=false' || (common && !common.icc)) return droppedByIcc(trace, verdict, target, common);
  if (/internal/.test(verdict.comment ?? '') || (target === undefined && isInternalOnly(trace)))
    return blockedByInternal(trace, target);
  if (target && own.length > 0 && theirs.length > 0 && common === undefined)
    return isolated(trace, verdict, own, theirs, target);
  return notPublished(trace, verdict, target);
}

function droppedByIcc(
  trace: TraceCase,
  { output, input, namespaceId }: RuleVerdict,
  target: HostContainer | undefined,
  network: HostNetwork | undefined,
): Conclusion {
  const link = network?.link ?? output ?? input ?? placeName(trace, namespaceId);
  const [from, to] = [nameOf(trace.from), target?.name ?? nameOf(trace.to)];
  const engine = target?.engine ?? 'netyard';
  return notReached('icc-off', `Dropped on ${link} by ${engine}'s "icc=false": ${from} may not talk to ${to} freely.`, {
    fix:
      target === undefined || network === undefined || network.name === 'bridge'
        ? `link ${from} to ${to} (--link ${to}), or publish ${portText(trace.packet)} of ${to}`
        : newNetwork(target, from, to),
  });
}

/** A network of their own for two containers. */
const newNetwork = (container: HostContainer, from: string, to: string): string =>
  [
    engineCommand(container, 'network', 'create', `${from}-${to}`),
    ...[from, to].map((name) => engineCommand(container, 'network', 'connect', `${from}-${to}`, name)),
  ].join(' && ');

function blockedByInternal(trace: TraceCase, target: HostContainer | undefined): Conclusion {
  if (isInternalOnly(trace)) return internalOnly(trace, 'observed');
  const name = networksOf(trace, target).find((network) => network.internal)?.name ?? 'the network';
  const { container } = trace.from;
  return notReached('internal', `${target?.name ?? nameOf(trace.to)} cannot be reached: ${name} is internal.`, {
    fix: container
      ? engineCommand(container, 'network', 'connect', name, container.name)
      : `attach ${trace.from.text} to ${name}`,
  });
}

function isolated(
  trace: TraceCase,
  { namespaceId }: RuleVerdict,
  own: readonly HostNetwork[],
  theirs: readonly HostNetwork[],
  target: HostContainer,
): Conclusion {
  const names = (networks: readonly HostNetwork[]): string => networks.map(({ name }) => name).join(', ');
  const from = trace.from.container;
  // Containers can join user-defined networks while they run; the default bridge gives no names.
  const isJoinable = ({ driver, name }: HostNetwork): boolean => driver === 'bridge' && name !== 'bridge';
  const [theirNetwork, ownNetwork] = [theirs.find(isJoinable), own.find(isJoinable)];
  const fix =
    theirNetwork && from
      ? engineCommand(from, 'network', 'connect', theirNetwork.name, from.name)
      : engineCommand(target, 'network', 'connect', ownNetwork?.name ?? 'NETWORK', target.name);
  return notReached(
    'isolated',
    `Dropped at ${placeName(trace, namespaceId)} between ${names(own)} and ${names(theirs)}: ` +
      `${nameOf(trace.from)} and ${target.name} have no common network.`,
    { fix },
  );
}

function notPublished(trace: TraceCase, verdict: RuleVerdict, target: HostContainer | undefined): Conclusion {
  const place = placeName(trace, verdict.namespaceId);
  const port = portText(trace.packet);
  const why =
    verdict.comment === undefined
      ? ruleText(verdict)
      : `"${verdict.comment}" of table ${verdict.family} ${verdict.table}`;
  const name = target?.name ?? nameOf(trace.to);
  const { destinationPort, protocol } = trace.packet;
  const command =
    target && destinationPort !== undefined
      ? publishCommand(target, destinationPort, protocol)
      : `${target ? commandOf(target) : 'netyard'} run -p PORT …`;
  return notReached(
    'dropped-by-engine',
    `Dropped at ${place} by ${why}: ${nameOf(trace.from)} may not reach ${port} of ${name}.`,
    { fix: `publish the port: ${command}` },
  );
}

/** `rule tcp dport 80 drop of ip filter FORWARD`, or the policy of a chain. */
export function ruleText({ family, table, chain, rule }: RuleVerdict): string {
  return rule === undefined
    ? `the policy of ${family} ${table} ${chain}`
    : `the rule "${rule}" of ${family} ${table} ${chain}`;
}

interface FirewallProgram {
  name: string;
  /** What allows the traffic. */
  fix(trace: TraceCase, verdict: RuleVerdict): string;
}

const ufwPort = ({ protocol, destinationPort }: TracePacket): string =>
  destinationPort === undefined ? `proto ${protocol}` : `${destinationPort}/${protocol}`;

const ufw: FirewallProgram = {
  name: 'ufw',
  fix: (trace, { input, output, outer }) =>
    input !== undefined && output !== undefined
      ? commandLine`ufw route allow in on ${input} out on ${output}`
      : `ufw allow ${ufwPort(outer ?? trace.packet)}`,
};

const firewalld: FirewallProgram = {
  name: 'firewalld',
  fix: (trace, { input, output, outer }) => {
    const { protocol, destinationPort } = outer ?? trace.packet;
    return output === undefined && destinationPort !== undefined
      ? `firewall-cmd --add-port ${destinationPort}/${protocol}`
      : commandLine`firewall-cmd --zone=trusted --add-interface=${output ?? input ?? 'INTERFACE'}`;
  },
};

const iptables: FirewallProgram = {
  name: 'iptables',
  fix: (trace, { family, chain, input, output, outer }) => {
    const packet = outer ?? trace.packet;
    const command = family === 'ip6' ? 'ip6tables' : 'iptables';
    const interfaces = `${input === undefined ? '' : commandLine` -i ${input}`}${output === undefined ? '' : commandLine` -o ${output}`}`;
    const port = packet.destinationPort === undefined ? '' : ` -p ${packet.protocol} --dport ${packet.destinationPort}`;
    return `${command} ${commandLine`-I ${chain}`}${interfaces}${output === undefined || outer ? port : ''} -j ACCEPT`;
  },
};

/** The program that a chain belongs to, by its name; iptables' own chains have those names in table filter. */
function programOf(trace: TraceCase, { table, chain }: RuleVerdict): FirewallProgram | undefined {
  if (table === 'firewalld') return firewalld;
  if (/^ufw6?-/.test(chain) || hasUfw(trace, table, chain)) return ufw;
  return /^(filter|raw|mangle|nat|security)$/.test(table) && /^[A-Z]/.test(chain) ? iptables : undefined;
}

/** The policy of FORWARD or INPUT is ufw's when its chains were passed before. */
const hasUfw = (trace: TraceCase, table: string, chain: string): boolean =>
  /^(FORWARD|INPUT|OUTPUT)$/.test(chain) &&
  (trace.evidence?.verdicts ?? []).some((verdict) => verdict.table === table && /^ufw6?-/.test(verdict.chain));

function droppedByForeign(trace: TraceCase, verdict: RuleVerdict): Conclusion {
  const { input, output, isAnswer, namespaceId } = verdict;
  const program = programOf(trace, verdict);
  const place = placeName(trace, namespaceId);
  const way =
    input !== undefined && output !== undefined
      ? `, ${input} → ${output},`
      : input !== undefined
        ? ' on its way in'
        : ' on its way out';
  const what = isAnswer ? 'The answer was dropped' : verdict.verdict === 'reject' ? 'Rejected' : 'Dropped';
  const by = program === undefined || program === iptables ? '' : ` (${program.name})`;
  return notReached(
    isAnswer ? 'answer-dropped' : 'dropped-by-firewall',
    `${what} at ${place}${way} by ${ruleText(verdict)}${by}.`,
    {
      fix: commandOrAdvice(trace, verdict, program),
    },
  );
}

/** Names that nft(8) takes as words of its language; in others it could find commands of its own. */
const isWord = (name: string): boolean => /^[A-Za-z_][\w/\\.-]*$/.test(name);

function commandOrAdvice(trace: TraceCase, verdict: RuleVerdict, program: FirewallProgram | undefined): string {
  const { namespaceId, family, table, chain } = verdict;
  if (program) return commandIn(trace, namespaceId, program.fix(trace, verdict));
  if (!isWord(table) || !isWord(chain)) return `change the rules there to accept ${matchText(trace, verdict)}`;
  return commandIn(
    trace,
    namespaceId,
    `${commandLine`nft insert rule ${family} ${table} ${chain}`} ${matchText(trace, verdict)} accept`,
  );
}

function matchText({ packet }: TraceCase, { outer }: RuleVerdict): string {
  const { protocol, destinationPort } = outer ?? packet;
  return destinationPort === undefined ? `meta l4proto ${protocol}` : `${protocol} dport ${destinationPort}`;
}
