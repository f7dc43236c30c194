/** Search, number of matches, connection, view and colours. */
import type { RefObject } from 'react';
import type { StreamStatus } from './server-connection.ts';
import type { Theme } from './use-theme.ts';

interface ToolBarProps {
  query: string;
  setQuery(text: string): void;
  search: RefObject<HTMLInputElement | null>;
  found: ReadonlySet<string> | undefined;
  total: number;
  status: StreamStatus;
  view: 'map' | 'table';
  toggleView(): void;
  /** Absent without `--web-actions`. */
  toggleTrace?: (() => void) | undefined;
  isTracing: boolean;
  theme: Theme;
  cycleTheme(): void;
}

const statusTexts: Readonly<Record<StreamStatus, string>> = {
  connected: 'live',
  reconnecting: 'connecting…',
  'no session': 'logged out: run netyard web',
};

export function ToolBar(props: ToolBarProps) {
  const { query, setQuery, search, found, total, status, view, toggleView, toggleTrace, isTracing, theme, cycleTheme } =
    props;
  return (
    <header className="tool-bar">
      <h1>Netyard</h1>
      <label className="search">
        <span className="hidden-text">Search</span>
        <input
          ref={search}
          type="search"
          value={query}
          placeholder="name: net: ip: port: state:"
          aria-keyshortcuts="/"
          spellCheck={false}
          onChange={({ target }) => setQuery(target.value)}
        />
      </label>
      <output className="count">{found === undefined ? `${total} objects` : `${found.size} of ${total}`}</output>
      <span className={`status status-${status === 'connected' ? 'good' : 'bad'}`} role="status">
        {statusTexts[status]}
      </span>
      {toggleTrace && (
        <button type="button" onClick={toggleTrace} aria-pressed={isTracing} aria-keyshortcuts="T">
          Trace
        </button>
      )}
      <button type="button" onClick={toggleView} aria-keyshortcuts="G">
        {view === 'map' ? 'Table' : 'Map'}
      </button>
      <button type="button" onClick={cycleTheme}>
        <span className="hidden-text">Colours: </span>
        {theme === 'system' ? 'Auto' : theme === 'light' ? 'Light' : 'Dark'}
      </button>
    </header>
  );
}
