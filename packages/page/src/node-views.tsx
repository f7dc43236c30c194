/** How each kind of node is drawn. Each has one button, which opens its panel. */
import { type Node as FlowNode, Handle, type NodeProps, Position } from '@xyflow/react';
import type { ReactNode } from 'react';
import type { PlacedNode } from './layout/nodes.ts';
import type { ContainerItem, ContainerItemState, Foreign } from './model.ts';
import { useLinkRate, usePeerRate } from './rate-store.ts';
import type { TraceStop } from './trace/route.ts';
import { formatRate } from './units.ts';

export type NodeData = {
  node: PlacedNode;
  isDim: boolean;
  isSelected: boolean;
  /** The one in the order of the Tab key. */
  isCurrent: boolean;
  /** How a trace passes it, if one does. */
  traced: TraceStop['state'] | undefined;
  select(): void;
  toggleExpanded(): void;
};

type Props = NodeProps<FlowNode<NodeData>>;

const stateMarks: Readonly<Record<ContainerItemState, string>> = {
  ...{ running: '●', paused: '‖', exited: '○', created: '◌', restarting: '↻', removing: '✕', dead: '✕' },
};

function Frame({ data, kind, children }: { data: NodeData; kind: string; children: ReactNode }) {
  const { isDim, isSelected, traced } = data;
  return (
    <div
      className={`node node-${kind}${isDim ? ' dim' : ''}${isSelected ? ' selected' : ''}${traced ? ` traced-${traced}` : ''}`}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} />
      {children}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

/** What is drawn depends on the zoom; a reader of the screen gets the whole text. */
function NodeButton({ data, label, children }: { data: NodeData; label: string; children: ReactNode }) {
  const { node, isCurrent, isSelected, select } = data;
  return (
    <button type="button" data-node={node.id} tabIndex={isCurrent ? 0 : -1} aria-pressed={isSelected} onClick={select}>
      <span className="hidden-text">{label}</span>
      <span className="visible" aria-hidden="true">
        {children}
      </span>
    </button>
  );
}

const problemText = (problems: readonly string[]): string => (problems.length === 0 ? '' : `, ${problems.join(', ')}`);

function ProblemMark({ problems }: { problems: readonly string[] }) {
  if (problems.length === 0) return null;
  return (
    <span className="problem" title={problems.join('\n')}>
      ⚠
    </span>
  );
}

export function HostNode({ data }: Props) {
  const { node } = data;
  if (node.kind !== 'host') return null;
  const { name, uplinks, problems } = node.item;
  return (
    <Frame data={data} kind={`host${node.item.foreign ? ' foreign' : ''}`}>
      <NodeButton data={data} label={`host ${name}${problemText(problems)}`}>
        <strong>{name}</strong> <ProblemMark problems={problems} />
        <span className="detail mono">{uplinks.join(' ')}</span>
        <UplinkRate link={uplinks[0]} />
      </NodeButton>
    </Frame>
  );
}

function UplinkRate({ link }: { link: string | undefined }) {
  const rate = useLinkRate(link);
  if (rate === undefined) return null;
  return (
    <span className="rate mono">
      ↓{formatRate(rate[0])} ↑{formatRate(rate[1])}
    </span>
  );
}

export function NetworkNode({ data }: Props) {
  const { node, toggleExpanded } = data;
  if (node.kind !== 'network') return null;
  const { title, count, item, isDense, canExpand } = node;
  const problems = item?.problems ?? [];
  const subnets = item?.subnets.map(({ subnet }) => subnet).join(' ') ?? '';
  const marks = [...(item?.internal ? ['internal'] : []), ...(item?.icc === false ? ['icc off'] : [])];
  const driver = item !== undefined && item.driver !== 'bridge' ? [item.driver] : [];
  return (
    <Frame data={data} kind={`network${item?.foreign ? ' foreign' : ''}`}>
      <div className="network-head">
        <NodeButton data={data} label={`network ${title}, ${count} containers${problemText(problems)}`}>
          <strong>{title}</strong> <ProblemMark problems={problems} />
          <span className="detail mono">{subnets}</span>
          {[...driver, ...marks].map((mark) => (
            <span key={mark} className="mark">
              {mark}
            </span>
          ))}
        </NodeButton>
        {canExpand && (
          <button type="button" className="expand" onClick={toggleExpanded} tabIndex={data.isCurrent ? 0 : -1}>
            {isDense ? `show ${count} names` : 'show dots'}
          </button>
        )}
      </div>
    </Frame>
  );
}

/** Of another host or engine: `docker container web`. */
const ownerOf = (foreign: Foreign | undefined): string =>
  foreign === undefined || foreign === 'cluster' ? '' : `${foreign} `;

const labelOf = (item: ContainerItem): string =>
  `${ownerOf(item.foreign)}container ${item.name}, ${item.state}, ${item.endpoints.flatMap(({ addresses }) => addresses).join(', ')}${problemText(item.problems)}`;

export function ContainerNode({ data }: Props) {
  const { node } = data;
  if (node.kind !== 'container') return null;
  const { item } = node;
  return (
    <Frame data={data} kind={`container state-${item.state}${item.foreign ? ' foreign' : ''}`}>
      <NodeButton data={data} label={labelOf(item)}>
        <span className="name">
          <span className="state-mark">{stateMarks[item.state]}</span> {item.name}{' '}
          <ProblemMark problems={item.problems} />
        </span>
        <span className="detail mono">{item.endpoints.flatMap(({ addresses }) => addresses)[0] ?? item.state}</span>
        <CellRate link={item.endpoints[0]?.hostLink} />
      </NodeButton>
    </Frame>
  );
}

/** As the container sees it: what leaves the host's interface comes in. */
function CellRate({ link }: { link: string | undefined }) {
  const rate = useLinkRate(link);
  if (rate === undefined) return null;
  return (
    <span className="rate mono">
      ↓{formatRate(rate[1])} ↑{formatRate(rate[0])}
      {rate[2] > 0 && <span className="problem"> {rate[2]} drops/s</span>}
    </span>
  );
}

export function DotNode({ data }: Props) {
  const { node } = data;
  if (node.kind !== 'dot') return null;
  const { item } = node;
  return (
    <Frame data={data} kind={`dot state-${item.state}${item.problems.length > 0 ? ' has-problem' : ''}`}>
      <NodeButton data={data} label={labelOf(item)}>
        <span title={item.name}>{item.problems.length > 0 ? '!' : ''}</span>
      </NodeButton>
    </Frame>
  );
}

export function PinNode({ data }: Props) {
  const { node } = data;
  if (node.kind !== 'pin') return null;
  const { item, port } = node;
  const { hostPort, containerPort, protocol } = port;
  return (
    <Frame data={data} kind="pin">
      <NodeButton data={data} label={`port ${hostPort} ${protocol} leads to ${item.name} port ${containerPort}`}>
        <span className="mono">
          {hostPort}→{containerPort}
          {protocol === 'tcp' ? '' : `/${protocol}`}
        </span>{' '}
        <span className="detail">{item.name}</span>
      </NodeButton>
    </Frame>
  );
}

export function PeerNode({ data }: Props) {
  const { node } = data;
  const rate = usePeerRate(node.id);
  if (node.kind !== 'peer') return null;
  const { name, address, subnets, via, link, mtu, problems } = node.item;
  const path = via === undefined ? 'no path' : `${via} ${link ?? ''}, MTU ${mtu ?? '?'}`;
  return (
    <Frame data={data} kind={`peer ${via === undefined ? 'peer-down' : `peer-${via}`}`}>
      <NodeButton data={data} label={`peer ${name}, ${path}${problemText(problems)}`}>
        <span className="name">
          <strong>{name}</strong> {address} <ProblemMark problems={problems} />
        </span>
        <span className="detail mono">
          {path} · {subnets.join(' ')}
        </span>
        {rate && (
          <span className="rate mono">
            ↓{rate[0]} ↑{rate[1]} packets/s
          </span>
        )}
      </NodeButton>
    </Frame>
  );
}
