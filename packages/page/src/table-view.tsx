/** The same items as a table, filtered by the search. */
import { ColumnTitles } from './column-titles.tsx';
import type { ContainerItem, PageItem } from './model.ts';
import { useLinkRate } from './rate-store.ts';
import { formatRate } from './units.ts';

interface TableViewProps {
  items: readonly PageItem[];
  found: ReadonlySet<string> | undefined;
  selected: string | undefined;
  select(id: string): void;
}

export function TableView({ items, found, selected, select }: TableViewProps) {
  const rows = items
    .filter((item) => item.kind !== 'host' && (found === undefined || found.has(item.id)))
    .sort(
      (one, other) => one.kind.localeCompare(other.kind) || one.name.localeCompare(other.name, 'en', { numeric: true }),
    );
  return (
    <div className="table-view">
      <table>
        <caption className="hidden-text">Containers, networks and peers</caption>
        <ColumnTitles titles={['Name', 'Kind', 'State', 'Networks', 'Addresses', 'Ports', 'Traffic', 'Problems']} />
        <tbody>
          {rows.map((item) => (
            <tr key={item.id} className={item.id === selected ? 'selected' : ''}>
              <th scope="row">
                <button type="button" onClick={() => select(item.id)}>
                  {item.name}
                </button>
              </th>
              <Cells item={item} />
              <td className={item.problems.length > 0 ? 'problem' : ''}>{item.problems.join('; ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cells({ item }: { item: PageItem }) {
  if (item.kind === 'container') return <ContainerCells item={item} />;
  if (item.kind === 'network')
    return (
      <>
        <td>network</td>
        <td>{item.driver}</td>
        <td>{item.internal ? 'internal' : ''}</td>
        <td className="mono">{item.subnets.map(({ subnet }) => subnet).join(' ')}</td>
        <td />
        <td>
          <Traffic link={item.link} />
        </td>
      </>
    );
  if (item.kind !== 'peer') return null;
  return (
    <>
      <td>peer</td>
      <td>{item.via ?? 'down'}</td>
      <td />
      <td className="mono">{[item.address, ...item.subnets].join(' ')}</td>
      <td />
      <td />
    </>
  );
}

function ContainerCells({ item }: { item: ContainerItem }) {
  const ports = item.ports.map(({ hostPort, containerPort, protocol }) => `${hostPort}→${containerPort}/${protocol}`);
  return (
    <>
      <td>{item.foreign === undefined ? 'container' : `container (${item.foreign})`}</td>
      <td>{item.state}</td>
      <td>{item.endpoints.map(({ network }) => network).join(' ')}</td>
      <td className="mono">{item.endpoints.flatMap(({ addresses }) => addresses).join(' ')}</td>
      <td className="mono">{[...new Set(ports)].join(' ')}</td>
      <td>
        <Traffic link={item.endpoints[0]?.hostLink} />
      </td>
    </>
  );
}

/** As the container sees it: what leaves the host's interface comes in. */
function Traffic({ link }: { link: string | undefined }) {
  const rate = useLinkRate(link);
  if (rate === undefined) return null;
  return (
    <span className="mono">
      ↓{formatRate(rate[1])} ↑{formatRate(rate[0])}
      {rate[2] > 0 && <span className="problem"> {rate[2]} drops/s</span>}
    </span>
  );
}
