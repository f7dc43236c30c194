/** Names of JSON fields as Go's decoder, and so Docker, matches them: in any letter case. Pure. */

/**
 * Takes the known fields of an object, under their names as listed; of several for one field, the last one counts. Any
 * other value is returned as it is.
 */
export function nameMatcher(names: readonly string[]): (value: unknown) => unknown {
  const byLowerCase = new Map(names.map((name) => [name.toLowerCase(), name]));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const fields = new Map<string, unknown>();
    for (const [key, field] of Object.entries(value)) {
      const name = byLowerCase.get(key.toLowerCase());
      if (name !== undefined) fields.set(name, field);
    }
    return Object.fromEntries(fields);
  };
}
