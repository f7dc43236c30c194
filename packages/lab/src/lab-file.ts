/**
 * Parses lab files: YAML text in, a definition out, or an error with line and column. Pure; `topology.ts` validates the
 * meaning.
 */
import { NetyardError } from '@netyard/core';
import { type Document, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { LabDefinition } from './definition.ts';
import { LabFileError, type Path } from './lab-file-error.ts';
import { labFileSchema } from './lab-schema.ts';

import { defineLab } from './topology.ts';

/** A missing value is reported as missing, not as a wrong type. */
const missing: z.core.$ZodErrorMap = (issue) =>
  issue.code === 'invalid_type' && issue.input === undefined ? 'is missing' : undefined;

/** Parses a lab file. Throws `invalid`: `FILE:LINE:COLUMN: WHERE: WHAT`. */
export function parseLab(text: string, file: string): LabDefinition {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const invalid = (position: Position | undefined, message: string): NetyardError =>
    new NetyardError(
      'invalid',
      `${file}${position === undefined ? '' : `:${position.line}:${position.col}`}: ${message}`,
    );
  const [syntax] = document.errors;
  if (syntax) throw invalid(syntax.linePos?.[0], syntax.message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '');
  const parsed = labFileSchema.safeParse(document.toJS(), { error: missing });
  const errorAt = (path: Path, message: string): NetyardError => {
    const shown = written(document, path);
    return invalid(positionOf(document, lines, shown), `${shown.length > 0 ? `${shown.join('.')}: ` : ''}${message}`);
  };
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const reason = issue?.code === 'invalid_key' ? issue.issues[0] : issue; // for an invalid name, the reason
    if (issue?.code === 'unrecognized_keys') throw errorAt([...issue.path, ...issue.keys.slice(0, 1)], 'unknown key');
    throw errorAt(issue?.path ?? [], reason?.message ?? 'not a lab file');
  }
  try {
    return defineLab(parsed.data);
  } catch (error) {
    if (error instanceof LabFileError) throw errorAt(error.path, error.message);
    throw error;
  }
}

interface Position {
  line: number;
  col: number;
}

/** Position of the node at a path, or of its nearest ancestor. */
function positionOf(document: Document, lines: LineCounter, path: Path): Position | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]);
  }
  return undefined;
}

/** Truncates the path at a scalar: in a short form, the file has no node below it. */
function written(document: Document, path: Path): Path {
  for (const length of path.keys())
    if (isScalar(document.getIn(path.slice(0, length), true))) return path.slice(0, length);
  return path;
}
