/** The panel of the selected item or edge: every click explains. */
import { type ReactNode, useEffect, useRef } from 'react';
import type { Items } from '../items.ts';
import type { Edge } from '../layout/edges.ts';
import type { Foreign, PageItem } from '../model.ts';
import { CaptureForm } from './capture-form.tsx';
import { Checks, Rules, Script } from './explanations.tsx';
import { ContainerFacts, HostFacts, NetworkFacts, PeerFacts } from './facts.tsx';

interface PanelProps {
  id: string;
  items: Items;
  edges: readonly Edge[];
  select(id: string | undefined): void;
  actions: boolean;
}

export function Panel({ id, items, edges, select, actions }: PanelProps) {
  const item = items.get(id);
  const edge = edges.find((candidate) => candidate.id === id);
  if (item) return <ItemPanel {...{ item, items, edges, select, actions }} />;
  if (edge) return <EdgePanel {...{ edge, items, select }} />;
  return (
    <Frame title="Gone" close={() => select(undefined)}>
      <p>This object does not exist any more.</p>
    </Frame>
  );
}

function Frame({ title, close, children }: { title: string; close(): void; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // A reader of the screen begins here, and Tab continues inside; later it continues where it was.
  useEffect(() => {
    const before = document.activeElement;
    heading.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <aside className="panel" aria-label={title}>
      <div className="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <button type="button" onClick={close} aria-label="Close" aria-keyshortcuts="Escape">
          ✕
        </button>
      </div>
      {children}
    </aside>
  );
}

interface ItemPanelProps {
  item: PageItem;
  items: Items;
  edges: readonly Edge[];
  select(id: string | undefined): void;
  actions: boolean;
}

function ItemPanel({ item, items, edges, select, actions }: ItemPanelProps) {
  const own = edges.filter(({ from, to, container }) => [from, to, container.id].includes(item.id));
  return (
    <Frame title={`${item.kind} ${item.name}`} close={() => select(undefined)}>
      {item.problems.length > 0 && (
        <ul className="problems" aria-label="Problems">
          {item.problems.map((problem) => (
            <li key={problem} className="problem">
              ⚠ {problem}
            </li>
          ))}
        </ul>
      )}
      <Facts {...{ item, items, select }} />
      {own.length > 0 && (
        <section>
          <h3>Connections</h3>
          <ul className="plain">
            {own.map((edge) => (
              <li key={edge.id}>
                <button type="button" className="link" onClick={() => select(edge.id)}>
                  {edge.label}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {item.kind !== 'peer' && item.foreign !== undefined ? (
        <ForeignNote item={item} foreign={item.foreign} />
      ) : (
        <Questions item={item} actions={actions} />
      )}
    </Frame>
  );
}

/** What this daemon does not know is explained by a command. */
function ForeignNote({ item, foreign }: { item: PageItem; foreign: Foreign }) {
  if (foreign === 'cluster')
    return (
      <p>Published by {item.kind === 'host' ? 'this host' : 'another host'}; the page of its daemon shows more.</p>
    );
  const name = foreign === 'namespace' ? item.name : `${foreign}/${item.name.replace(`${foreign}/`, '')}`;
  return (
    <p>
      Netyard did not make this, and changes nothing of it. It is observed once a minute. Explain it with:
      <code className="command">netyard explain {name}</code>
    </p>
  );
}

function Questions({ item, actions }: { item: PageItem; actions: boolean }) {
  const ref = item.kind === 'peer' ? item.name : item.id;
  return (
    <>
      {item.kind !== 'host' && item.kind !== 'container' && <Rules query={{ ref }} title="Rules" />}
      {actions && item.kind !== 'peer' && (
        <CaptureForm target={item.kind === 'host' ? 'uplink' : item.id} name={item.name} />
      )}
      {item.kind === 'host' ? <Checks /> : <Script reference={ref} />}
      {item.kind !== 'host' && <Checks about={item.name} />}
    </>
  );
}

function Facts({ item, items, select }: { item: PageItem; items: Items; select(id: string): void }) {
  switch (item.kind) {
    case 'host':
      return <HostFacts item={item} />;
    case 'network':
      return <NetworkFacts item={item} items={items} select={select} />;
    case 'container':
      return <ContainerFacts item={item} items={items} select={select} />;
    case 'peer':
      return <PeerFacts item={item} />;
  }
}

function EdgePanel({ edge, items, select }: { edge: Edge; items: Items; select(id: string | undefined): void }) {
  const { kind, container, to, port, label } = edge;
  const target = items.get(to);
  const home = container.endpoints[0]?.networkId;
  if (container.foreign !== undefined)
    return (
      <Frame title={label} close={() => select(undefined)}>
        <ForeignNote item={container} foreign={container.foreign} />
      </Frame>
    );
  return (
    <Frame title={label} close={() => select(undefined)}>
      <p>
        <button type="button" className="link" onClick={() => select(container.id)}>
          {container.name}
        </button>
        {target && target.id !== container.id && (
          <>
            {' → '}
            <button type="button" className="link" onClick={() => select(target.id)}>
              {target.name}
            </button>
          </>
        )}
      </p>
      {kind === 'port' && port !== undefined && <Rules query={{ ref: container.id, port }} title="What leads there" />}
      {kind === 'link' && <Rules query={{ ref: container.id, linkTo: to }} title="Rules of the link" />}
      {kind === 'member' && <Rules query={{ ref: to }} title="Rules of the network" />}
      {kind !== 'member' && home !== undefined && home !== '' && (
        <Rules query={{ ref: home }} title="Rules of the network" />
      )}
    </Frame>
  );
}
