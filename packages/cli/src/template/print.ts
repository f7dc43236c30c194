/** Formats values like Go's fmt with %v. Pure. */

/** nil inside a map or slice is `<nil>`; on its own, as a template's output, it is `<no value>`. */
export function printValue(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(printValue).join(' ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `map[${entries.map(([key, item]) => `${key}:${printValue(item)}`).join(' ')}]`;
  }
  return String(value);
}

/** Encodes JSON without Go's escapes of <, > and &, like the docker CLI. */
export function printJson(value: unknown): string {
  if (typeof value === 'object' && value !== null && jsonText in value && typeof value[jsonText] === 'function') {
    return String(value[jsonText]());
  }
  return JSON.stringify(value ?? null);
}

/** An object may have its own JSON encoding. */
export const jsonText = Symbol('json');

/** fmt.Sprintf for the verbs that templates use: %s %v %d %q %x %t %f %.2f %-10s %5d %%. */
export function sprintf(format: string, values: readonly unknown[]): string {
  let next = 0;
  const text = format.replace(/%(-?)(0?)(\d*)(?:\.(\d+))?([a-zA-Z%])/g, (_all, left, zero, width, precision, verb) => {
    if (verb === '%') return '%';
    if (next >= values.length) return `%!${verb}(MISSING)`;
    const shown = formatVerb(verb, values[next++], precision);
    const size = Number(width || 0);
    if (left) return shown.padEnd(size);
    return zero && !Number.isNaN(Number(shown)) ? shown.padStart(size, '0') : shown.padStart(size);
  });
  const extra = values.slice(next).map((value) => `${typeof value}=${printValue(value)}`);
  return extra.length > 0 ? `${text}%!(EXTRA ${extra.join(', ')})` : text;
}

function formatVerb(verb: string, value: unknown, precision: string | undefined): string {
  switch (verb) {
    case 'q':
      return JSON.stringify(printValue(value));
    case 'x':
      return typeof value === 'number' ? value.toString(16) : Buffer.from(printValue(value)).toString('hex');
    case 'f':
      return Number(value).toFixed(precision === undefined ? 6 : Number(precision));
    case 's':
      return precision === undefined ? printValue(value) : printValue(value).slice(0, Number(precision));
    case 'v':
    case 'd':
    case 't':
      return printValue(value);
    default:
      return `%!${verb}(${printValue(value)})`;
  }
}
