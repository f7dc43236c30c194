/** The whole page: tool bar, map or table, panel, and the keys. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { formatView, type PageView, parseView } from './address-bar.ts';
import { planLayout } from './layout/lanes.ts';
import { MapView } from './map-view.tsx';
import { Panel } from './panel/panel.tsx';
import { matches, parseSearch } from './search.ts';
import { TableView } from './table-view.tsx';
import { ToolBar } from './tool-bar.tsx';
import { useItems } from './use-items.ts';
import { useTheme } from './use-theme.ts';

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

/** The view, which the address follows. */
function useView(): [PageView, (change: Partial<PageView>) => void] {
  const [view, setView] = useState(() => parseView(location.search));
  useEffect(() => {
    history.replaceState(null, '', `${location.pathname}${formatView(view)}`);
  }, [view]);
  const change = useCallback((part: Partial<PageView>) => setView((before) => ({ ...before, ...part })), []);
  return [view, change];
}

interface Keys {
  search(): void;
  toggleTable(): void;
  close(): void;
}

function useKeys(keys: Keys): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape') keys.close();
      else if (isTyping(event.target)) return;
      else if (event.key === '/') keys.search();
      else if (event.key === 'g' || event.key === 'G') keys.toggleTable();
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [keys]);
}

export function App({ actions }: { actions: boolean }) {
  const { items, status } = useItems();
  const [view, change] = useView();
  const [theme, cycleTheme] = useTheme();
  const search = useRef<HTMLInputElement>(null);
  const { query, selected } = view;
  const expanded = useMemo(() => new Set(view.expanded), [view.expanded]);
  const list = useMemo(() => [...(items?.values() ?? [])], [items]);
  const layout = useMemo(() => planLayout(list, expanded), [list, expanded]);
  const found = useMemo(() => {
    const terms = parseSearch(query);
    return terms.length === 0 ? undefined : new Set(list.filter((item) => matches(item, terms)).map(({ id }) => id));
  }, [list, query]);
  const select = useCallback((id: string | undefined) => change({ selected: id } as Partial<PageView>), [change]);
  const toggleExpanded = useCallback(
    (id: string) => {
      const others = view.expanded.filter((other) => other !== id);
      change({ expanded: others.length === view.expanded.length ? [...others, id] : others });
    },
    [view.expanded, change],
  );
  const keys = useMemo(
    () => ({
      search: () => search.current?.focus(),
      toggleTable: () => change({ view: view.view === 'map' ? 'table' : 'map' }),
      close: () => {
        if (document.activeElement === search.current) search.current?.blur();
        else select(undefined);
      },
    }),
    [change, select, view.view],
  );
  useKeys(keys);
  const shared = { items: list, found, selected, select };
  return (
    <div className="page">
      <ToolBar
        {...{ query, status, theme, cycleTheme, search, found }}
        total={list.length}
        view={view.view}
        setQuery={(text) => change({ query: text })}
        toggleView={keys.toggleTable}
      />
      <main className="content">
        {items === undefined ? (
          <p className="message">Loading…</p>
        ) : view.view === 'map' ? (
          <MapView {...shared} layout={layout} toggleExpanded={toggleExpanded} theme={theme} />
        ) : (
          <TableView {...shared} />
        )}
        {selected !== undefined && items !== undefined && (
          <Panel key={selected} id={selected} items={items} edges={layout.edges} select={select} actions={actions} />
        )}
      </main>
    </div>
  );
}
