/** The ends of a trace: what is clicked, as the words of `netyard trace`, and its port. Pure. */
import type { PlacedNode } from '../layout/nodes.ts';
import type { ContainerItem, PageItem, TraceRequest } from '../model.ts';

/** What the form of a trace has. */
export interface TraceForm {
  from: string;
  to: string;
  /** '' for an echo request, else `80`, `80/tcp` or `53/udp`. */
  port: string;
}

export const emptyForm: TraceForm = { from: '', to: '', port: '' };

/** Undefined for what neither sends nor receives packets itself. */
export function endOf(item: PageItem): string | undefined {
  switch (item.kind) {
    case 'container':
      return endOfContainer(item);
    case 'host':
      if (item.foreign === undefined) return 'host';
      return item.canTrace ? `${item.name}/host` : undefined;
    case 'peer':
      return item.canTrace ? `${item.name}/host` : item.address;
    case 'network':
      return undefined;
  }
}

/**
 * A container of another host by its name there, if that host can be asked; else by its address, which this host has a route
 * to: the trace then ends where the packet leaves.
 */
function endOfContainer({ name, host, foreign, canTrace, endpoints }: ContainerItem): string | undefined {
  if (foreign === 'cluster' && canTrace) return `${host.replace(/^host:/, '')}/${name}`;
  if (foreign === 'cluster') return endpoints.flatMap(({ addresses }) => addresses)[0];
  return foreign === 'namespace' ? name : `${foreign ?? 'netyard'}/${name}`;
}

/** The form after a click: the first one is the start, the second one the destination, a third one begins anew. */
export function chooseEnd(form: TraceForm, item: PageItem, node?: PlacedNode): TraceForm {
  const isFirst = form.from === '' || form.to !== '';
  if (node?.kind === 'pin' && !isFirst) {
    const { hostPort, protocol } = node.port;
    return { ...form, to: 'host', port: `${hostPort}/${protocol}` };
  }
  const end = endOf(item);
  const isElsewhere = item.kind === 'peer' || item.foreign === 'cluster';
  if (end === undefined || (isFirst && isElsewhere)) return form;
  return isFirst ? { ...emptyForm, from: end } : { ...form, to: end };
}

/** Undefined for a form that is incomplete or has an invalid port. */
export function requestOf({ from, to, port }: TraceForm): TraceRequest | undefined {
  const ends = { from: from.trim(), to: to.trim() };
  if (ends.from === '' || ends.to === '') return undefined;
  if (port.trim() === '') return { ...ends, protocol: 'icmp' };
  const [, number = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(port.trim()) ?? [];
  const isPort = number !== '' && Number(number) >= 1 && Number(number) <= 65_535;
  return isPort ? { ...ends, port: Number(number), protocol: protocol === 'udp' ? 'udp' : 'tcp' } : undefined;
}
