/** Makes a chunk load Node's modules when it first uses them: `node:crypto` takes 4 ms that most commands do not need. Pure. */

const declaration = /^(?:let|const|var) (\w+) = require\("(node:[\w/]+)"\);$/gm;

/** Keeps the number of lines. A module that is used other than by `name.member` is still loaded at once. */
export function loadLazily(code: string): string {
  let result = code;
  for (const [line, name = '', module = ''] of code.matchAll(declaration)) {
    const uses = new RegExp(`(?<![\\w$.])${name}\\b(\\.)?`, 'g');
    const others = [...result.replace(line, '').matchAll(uses)].filter(([, member]) => member === undefined);
    if (others.length > 0) continue;
    result = result
      .replace(line, '')
      .replaceAll(uses, `(${name} ??= require("${module}"))$1`)
      .replace(/^/, `let ${name};`);
  }
  return result;
}
