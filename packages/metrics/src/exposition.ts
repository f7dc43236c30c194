/**
 * Prometheus' text format, version 0.0.4. Pure.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  labels: Labels;
  value: number;
  /** Of a histogram: which of its series. */
  suffix?: '_bucket' | '_sum' | '_count';
}

/** All series of one name. */
export interface Family {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  samples: readonly Sample[];
}

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** Families without samples are left out. Throws for a name that is not allowed: names are constants of this package. */
export function formatFamilies(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(formatFamily)
    .join('');
}

function formatFamily({ name, type, help, samples }: Family): string {
  if (!/^[a-zA-Z_:][\w:]*$/.test(name)) throw new TypeError(`invalid metric name ${name}`);
  const lines = samples.map(
    ({ suffix = '', labels, value }) => `${name}${suffix}${formatLabels(labels)} ${formatNumber(value)}\n`,
  );
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    if (!/^[a-zA-Z_]\w*$/.test(name)) throw new TypeError(`invalid label name ${name}`);
    return `${name}="${escapeLabel(value)}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

/** Lone surrogates, which UTF-8 cannot encode, become U+FFFD. */
const escapeLabel = (text: string): string => escapeHelp(text.toWellFormed()).replaceAll('"', '\\"');

/** As Go's ParseFloat reads it. */
export function formatNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** A family of one series per value of `items`. */
export function family<T>(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  items: Iterable<T>,
  sample: (item: T) => [labels: Labels, value: number | bigint] | undefined,
): Family {
  const samples = [...items].flatMap((item) => {
    const found = sample(item);
    return found ? [{ labels: found[0], value: Number(found[1]) }] : [];
  });
  return { name, type, help, samples };
}

/** A family of one series without labels; of none if the value is undefined. */
export const single = (type: 'counter' | 'gauge', name: string, help: string, value: number | undefined): Family => ({
  name,
  type,
  help,
  samples: value === undefined ? [] : [{ labels: {}, value }],
});
