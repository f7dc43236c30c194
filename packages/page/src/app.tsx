/** The whole page: tool bar, map or table, panel, and the keys. */
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { formatView, type PageView, parseView } from './address-bar.ts';
import type { Items } from './items.ts';
import { planLayout } from './layout/lanes.ts';
import type { PlacedNode } from './layout/nodes.ts';
import { MapView } from './map-view.tsx';
import { Panel } from './panel/panel.tsx';
import { matches, parseSearch } from './search.ts';
import { TableView } from './table-view.tsx';
import { ToolBar } from './tool-bar.tsx';
import { TracePanel } from './trace/trace-panel.tsx';
import { useTrace } from './trace/use-trace.ts';
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
  toggleTrace(): void;
  close(): void;
}

function useKeys(keys: Keys): void {
  const latest = useLatest(keys);
  useEffect(() => {
    const actions: Readonly<Record<string, () => void>> = {
      '/': () => latest.current.search(),
      g: () => latest.current.toggleTable(),
      t: () => latest.current.toggleTrace(),
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = actions[event.key.toLowerCase()];
      if (event.key === 'Escape') latest.current.close();
      else if (isTyping(event.target) || act === undefined) return;
      else act();
      event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [latest]);
}

/** The value of the latest render, for functions that stay the same. */
function useLatest<Value>(value: Value): RefObject<Value> {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}

/** Clicks open panels, or choose the ends of a trace. */
function useClicks(items: Items | undefined, view: PageView, change: (part: Partial<PageView>) => void) {
  const list = useMemo(() => [...(items?.values() ?? [])], [items]);
  const trace = useTrace(list);
  const select = useCallback((id: string | undefined) => change({ selected: id } as Partial<PageView>), [change]);
  const latest = useLatest({ items, view, trace });
  const pick = useCallback(
    (id: string, node?: PlacedNode) => {
      const { items: known, trace: current } = latest.current;
      const item = known?.get(id);
      if (current.form !== undefined && item !== undefined) current.choose(item, node);
      else select(id);
    },
    [latest, select],
  );
  const toggleExpanded = useCallback(
    (id: string) => {
      const { expanded } = latest.current.view;
      const others = expanded.filter((other) => other !== id);
      change({ expanded: others.length === expanded.length ? [...expanded, id] : others });
    },
    [latest, change],
  );
  const toggleTrace = useCallback(() => {
    const { items: known, view: shown, trace: current } = latest.current;
    if (current.form !== undefined) return current.close();
    current.open(known?.get(shown.selected ?? ''));
    select(undefined);
  }, [latest, select]);
  return { list, trace, select, pick, toggleExpanded, toggleTrace };
}

export function App({ actions }: { actions: boolean }) {
  const { items, status } = useItems();
  const [view, change] = useView();
  const [theme, cycleTheme] = useTheme();
  const search = useRef<HTMLInputElement>(null);
  const { query, selected } = view;
  const { list, trace, select, pick, toggleExpanded, toggleTrace } = useClicks(items, view, change);
  const expanded = useMemo(() => new Set(view.expanded), [view.expanded]);
  const layout = useMemo(() => planLayout(list, expanded), [list, expanded]);
  const found = useMemo(() => {
    const terms = parseSearch(query);
    return terms.length === 0 ? undefined : new Set(list.filter((item) => matches(item, terms)).map(({ id }) => id));
  }, [list, query]);
  const toggleView = (): void => change({ view: view.view === 'map' ? 'table' : 'map' });
  useKeys({
    search: () => search.current?.focus(),
    toggleTable: toggleView,
    toggleTrace: () => actions && toggleTrace(),
    close: () => {
      if (document.activeElement === search.current) search.current?.blur();
      else if (trace.form !== undefined) trace.close();
      else select(undefined);
    },
  });
  return (
    <div className="page">
      <ToolBar
        {...{ query, status, theme, cycleTheme, search, found, toggleView }}
        total={list.length}
        view={view.view}
        setQuery={(text) => change({ query: text })}
        toggleTrace={actions ? toggleTrace : undefined}
        isTracing={trace.form !== undefined}
      />
      <main className="content">
        {items === undefined ? (
          <p className="message">Loading…</p>
        ) : view.view === 'map' ? (
          <MapView {...{ layout, found, selected, select, pick, toggleExpanded, theme }} route={trace.route} />
        ) : (
          <TableView items={list} found={found} selected={selected} select={pick} />
        )}
        {trace.form !== undefined && <TracePanel trace={trace} />}
        {trace.form === undefined && selected !== undefined && items !== undefined && (
          <Panel key={selected} id={selected} items={items} edges={layout.edges} select={select} actions={actions} />
        )}
      </main>
    </div>
  );
}
