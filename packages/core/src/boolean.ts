/** Go's strconv.ParseBool, with which Docker reads booleans in options and queries; undefined for an invalid value. Pure. */
export function parseGoBoolean(value: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value) ? false : undefined;
}
