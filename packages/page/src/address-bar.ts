/** What the page keeps in its address, so that a view can be shared and survives a reload. Pure. */

export interface PageView {
  /** The search. */
  query: string;
  view: 'map' | 'table';
  /** Id of the item or edge whose panel is open. */
  selected?: string;
  /** Ids of networks shown as cells although they have many containers. */
  expanded: readonly string[];
}

export function parseView(search: string): PageView {
  const parameters = new URLSearchParams(search);
  const selected = parameters.get('select');
  return {
    query: parameters.get('q') ?? '',
    view: parameters.get('view') === 'table' ? 'table' : 'map',
    ...(selected === null || selected === '' ? {} : { selected }),
    expanded: parameters.getAll('expand'),
  };
}

/** '' for the default view, else with its question mark. */
export function formatView({ query, view, selected, expanded }: PageView): string {
  const parameters = new URLSearchParams();
  if (query !== '') parameters.set('q', query);
  if (view === 'table') parameters.set('view', 'table');
  if (selected !== undefined) parameters.set('select', selected);
  for (const id of expanded) parameters.append('expand', id);
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** The token of `#token=…`, which `netyard web` prints. */
export const tokenOf = (hash: string): string | undefined => /^#token=([\w-]+)$/.exec(hash)?.[1];
