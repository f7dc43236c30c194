/** Errors of invalid templates and of their execution, with text/template's messages. */
import { NetyardError } from '@netyard/core';

export class TemplateError extends NetyardError {
  /** Column (from 1) of the expression that failed during execution. */
  readonly phase: 'parse' | 'execute';

  constructor(phase: 'parse' | 'execute', message: string) {
    super('invalid', message);
    this.phase = phase;
  }
}

export const templateError = (text: string): TemplateError => new TemplateError('parse', `template: :1: ${text}`);

/** `at` counts from 0. */
export const executeError = (at: number, expression: string, text: string): TemplateError =>
  new TemplateError('execute', `template: :1:${at}: executing "" at <${expression}>: ${text}`);
