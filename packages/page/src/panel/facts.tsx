/** Addresses, names, links and ports of an item. */
import type { ReactNode } from 'react';
import type { Items } from '../items.ts';
import type { ContainerItem, HostItem, NetworkItem, PeerItem } from '../model.ts';

function List({ rows }: { rows: [title: string, value: ReactNode][] }) {
  return (
    <dl>
      {rows.map(([title, value]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function SelectButton({ id, items, select }: { id: string; items: Items; select(id: string): void }) {
  const name = items.get(id)?.name ?? id.slice(0, 12);
  return (
    <button type="button" className="link" onClick={() => select(id)}>
      {name}
    </button>
  );
}

export function HostFacts({ item }: { item: HostItem }) {
  return (
    <List
      rows={[
        ...(item.foreign === undefined
          ? [
              ['Netyard', item.version] as [string, ReactNode],
              ['Uplinks', <code key="uplinks">{item.uplinks.join(' ') || 'none: no default route'}</code>] as [
                string,
                ReactNode,
              ],
            ]
          : []),
      ]}
    />
  );
}

export function NetworkFacts({ item, items, select }: { item: NetworkItem; items: Items; select(id: string): void }) {
  const members = [...items.values()].filter(
    (other): other is ContainerItem =>
      other.kind === 'container' && other.endpoints.some(({ networkId }) => networkId === item.id),
  );
  const subnets = item.subnets.map(({ subnet, gateway }) =>
    gateway === undefined ? subnet : `${subnet} via ${gateway}`,
  );
  return (
    <List
      rows={[
        ['Driver', `${item.driver}${item.internal ? ', internal' : ''}${item.icc ? '' : ', icc=false'}`],
        ['Interface', <code key="link">{item.link ?? 'none'}</code>],
        ['MTU', item.mtu ?? 'unknown'],
        ['Subnets', <code key="subnets">{subnets.join('\n') || 'none'}</code>],
        ['Containers', members.map(({ id }) => <SelectButton key={id} {...{ id, items, select }} />)],
      ]}
    />
  );
}

export function PeerFacts({ item }: { item: PeerItem }) {
  return (
    <List
      rows={[
        ['Address', <code key="address">{item.address}</code>],
        ['Subnets', <code key="subnets">{item.subnets.join('\n')}</code>],
        ['Path', item.via === undefined ? 'none' : `${item.via} on ${item.link ?? '?'}`],
        ['MTU', item.mtu ?? 'unknown'],
        ['Origin', item.origin],
      ]}
    />
  );
}

export function ContainerFacts({
  item,
  items,
  select,
}: {
  item: ContainerItem;
  items: Items;
  select(id: string): void;
}) {
  const { sharedWith } = item;
  const linkedBy = [...items.values()].filter(
    (other): other is ContainerItem => other.kind === 'container' && other.links.some(({ id }) => id === item.id),
  );
  return (
    <>
      <List
        rows={[
          ['State', item.state],
          ['Image', item.image],
          ['Mode', item.mode],
          ...(sharedWith === undefined
            ? []
            : [
                ['Namespace of', <SelectButton key="shared" id={sharedWith} {...{ items, select }} />] as [
                  string,
                  ReactNode,
                ],
              ]),
        ]}
      />
      {item.endpoints.map((endpoint) => (
        <section key={endpoint.networkId}>
          <h3>
            {endpoint.link === undefined ? '' : `${endpoint.link} on `}
            {endpoint.network}
          </h3>
          <List
            rows={[
              ['Addresses', <code key="addresses">{endpoint.addresses.join('\n') || 'none while it is stopped'}</code>],
              ['MAC', <code key="mac">{endpoint.mac ?? '–'}</code>],
              ['Host’s end', <code key="link">{endpoint.hostLink ?? '–'}</code>],
              ['Names', <code key="names">{endpoint.names.join('\n') || '–'}</code>],
            ]}
          />
        </section>
      ))}
      {item.ports.length > 0 && (
        <section>
          <h3>Ports</h3>
          <ul className="plain mono">
            {item.ports.map(({ hostAddress, hostPort, containerPort, protocol }) => (
              <li key={`${hostAddress} ${hostPort} ${protocol} ${containerPort}`}>
                {hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress}:{hostPort} → {containerPort}/{protocol}
              </li>
            ))}
          </ul>
        </section>
      )}
      {item.links.length + linkedBy.length > 0 && (
        <section>
          <h3>Links</h3>
          <ul className="plain">
            {item.links.map(({ id, name, alias }) => (
              <li key={alias}>
                to {id === undefined ? name : <SelectButton {...{ id, items, select }} />} as <code>{alias}</code>
              </li>
            ))}
            {linkedBy.map(({ id }) => (
              <li key={id}>
                from <SelectButton {...{ id, items, select }} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
