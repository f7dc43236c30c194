/**
 * A lab file: what its YAML may say. Pure: text in, a definition out, or an error that names line and column. What the
 * words mean together is `topology.ts`; nothing is asked of the machine.
 */
import { NetyardError } from '@netyard/core';
import { type Document, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { LabDefinition } from './definition.ts';
import { LabFileError, type Path } from './lab-file-error.ts';
import { labFileSchema } from './lab-schema.ts';

import { defineLab } from './topology.ts';

/** What is not there has no type that could be wrong. */
const missing: z.core.$ZodErrorMap = (issue) =>
  issue.code === 'invalid_type' && issue.input === undefined ? 'is missing' : undefined;

/** Parses a lab file. Throws `invalid`: `FILE:LINE:COLUMN: WHERE: WHAT`. */
export function parseLab(text: string, file: string): LabDefinition {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const refuse = (place: Place | undefined, message: string): NetyardError =>
    new NetyardError('invalid', `${file}${place === undefined ? '' : `:${place.line}:${place.col}`}: ${message}`);
  const [syntax] = document.errors;
  if (syntax) throw refuse(syntax.linePos?.[0], syntax.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '');
  const parsed = labFileSchema.safeParse(document.toJS(), { error: missing });
  const misplaced = (path: Path, message: string): NetyardError => {
    const shown = written(document, path);
    return refuse(placeOf(document, lines, shown), `${shown.length > 0 ? `${shown.join('.')}: ` : ''}${message}`);
  };
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const reason = issue?.code === 'invalid_key' ? issue.issues[0] : issue; // a name that is none: why, not only that
    if (issue?.code === 'unrecognized_keys')
      throw misplaced([...issue.path, ...issue.keys.slice(0, 1)], 'no such word');
    throw misplaced(issue?.path ?? [], reason?.message ?? 'not a lab file');
  }
  try {
    return defineLab(parsed.data);
  } catch (error) {
    if (error instanceof LabFileError) throw misplaced(error.path, error.message);
    throw error;
  }
}

interface Place {
  line: number;
  col: number;
}

/** Where what stands at a path begins, or the nearest thing around it. */
function placeOf(document: Document, lines: LineCounter, path: Path): Place | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]);
  }
  return undefined;
}

/** The path without what a short form left unsaid: a scalar in the file has nothing in it. */
function written(document: Document, path: Path): Path {
  for (const length of path.keys())
    if (isScalar(document.getIn(path.slice(0, length), true))) return path.slice(0, length);
  return path;
}
