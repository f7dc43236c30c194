/**
 * Writes code without characters beyond ASCII. V8 keeps the source of what it runs: with one such character it takes two
 * bytes per character.
 */

/**
 * The escapes mean the same in strings, templates, regular expressions and names, but not in `String.raw`, and not in
 * comments, which a bundle has none of. Pure.
 */
export const asAscii = (code: string): string =>
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
