/** The JSON form of an instruction's arguments: `["a", "b"]`. Pure. */

/** Undefined for any other text, which Docker treats as words or as a shell command. */
export function parseList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}
