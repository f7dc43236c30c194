/**
 * Makes text safe to show on a terminal. Labels, names of images, commands and error messages come from untrusted
 * sources; control characters in them could rewrite the screen, hide a line, set the window's title or, on some
 * terminals, type commands. Pure.
 */

/**
 * C0 except tab and line feed, DEL, C1 (8-bit escape sequences), line and paragraph separators, and characters that
 * change the direction of text (Unicode UAX #9), which show text in a different order.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Replaces each such character by `\x1b` or `\u202e`. */
export function escapeControls(text: string): string {
  return text.replace(unsafe, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Text for an output: escaped for a terminal, unchanged for files and pipes. */
export function textFor(output: { isTTY?: boolean }, text: string): string {
  return output.isTTY ? escapeControls(text) : text;
}

/** Text that is a part of one line: a name of a container or process may contain line feeds, which would begin another. */
export const oneLine = (text: string): string => text.replaceAll('\n', '\\n').replaceAll('\t', '\\t');
