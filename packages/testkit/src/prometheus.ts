/**
 * A strict parser of Prometheus' text format, as `promtool check metrics` reads it, for tests of what the daemon exports.
 * Written from https://prometheus.io/docs/instrumenting/exposition_formats/, independent of the code that writes it.
 */

export interface ScrapedSeries {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

export interface ScrapedFamily {
  type: string;
  series: ScrapedSeries[];
}

/** By name of the family. Throws with the line for any violation of the format. */
export function parseScrape(text: string): Map<string, ScrapedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, ScrapedFamily>();
  const helped = new Set<string>();
  const seen = new Set<string>();
  let current: string | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (reason: string): never => {
      throw new Error(`${reason}: ${line}`);
    };
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (helped.has(name)) fail('a second HELP');
      if (/\\(?![\\n])/.test(rest)) fail('an invalid escape in HELP');
      helped.add(name);
      current = undefined;
    } else if (keyword === 'TYPE') {
      if (families.has(name)) fail('a second TYPE');
      if (!/^(?:counter|gauge|histogram)$/.test(rest)) fail('an unknown type');
      if (!helped.has(name)) fail('TYPE without HELP');
      families.set(name, { type: rest, series: [] });
      current = name;
    } else {
      const series = parseSeries(line) ?? fail('not a series');
      const family = families.get(current ?? '') ?? fail('a series without TYPE');
      const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      if (!suffixes.some((suffix) => series.name === `${current}${suffix}`)) fail(`a series in the family ${current}`);
      const key = `${series.name} ${JSON.stringify(Object.entries(series.labels).sort())}`;
      if (seen.has(key)) fail('the series occurs twice');
      seen.add(key);
      if (family.type !== 'gauge' && !(series.value >= 0)) fail('a count below 0');
      family.series.push(series);
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family.series);
  return families;
}

const seriesPattern = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\[\\"n])*",?)*)\})? (\S+)$/;

function parseSeries(line: string): ScrapedSeries | undefined {
  const [, name, labelText = '', number = ''] = seriesPattern.exec(line) ?? [];
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
  if (name === undefined || Number.isNaN(value)) return undefined;
  const pairs = [...labelText.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\"n])*)"/g)].map(
    ([, label = '', text = '']): [string, string] => [label, readEscapes(text)],
  );
  return new Set(pairs.map(([label]) => label)).size === pairs.length
    ? { name, labels: Object.fromEntries(pairs), value }
    : undefined;
}

const readEscapes = (text: string): string => text.replace(/\\(.)/g, (_escape, char) => (char === 'n' ? '\n' : char));

/** For each combination of labels: cumulative buckets, a last one of +Inf that equals the count, and a sum. */
function checkHistogram(name: string, series: readonly ScrapedSeries[]): void {
  const groups = Map.groupBy(series, ({ labels: { le: _bound, ...labels } }) => JSON.stringify(labels));
  for (const [labels, group] of groups) {
    const of = (suffix: string) => group.filter((one) => one.name === `${name}${suffix}`);
    const buckets = of('_bucket').map(({ labels: { le }, value }) => ({ le: le ?? '', value }));
    const bounds = buckets.map(({ le }) => (le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)));
    const isRising = (numbers: readonly number[]): boolean =>
      numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] ?? 0));
    const count = of('_count');
    const isValid =
      bounds.at(-1) === Number.POSITIVE_INFINITY &&
      isRising(bounds) &&
      isRising(buckets.map(({ value }) => value)) &&
      count.length === 1 &&
      of('_sum').length === 1 &&
      count[0]?.value === buckets.at(-1)?.value;
    if (!isValid) throw new Error(`invalid histogram ${name} ${labels}`);
  }
}
