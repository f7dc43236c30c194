/** `netyard lab …` without the rest of the command line, for the tests of this box. */
import { isNetyardError } from '@netyard/core';
import { CommanderError } from 'commander';
import { labCommand } from '../src/index.ts';

try {
  await labCommand().parseAsync();
} catch (error) {
  if (!isNetyardError(error) && !(error instanceof CommanderError)) throw error;
  console.error(`netyard: ${error.message}`);
  process.exitCode ||= error instanceof CommanderError ? error.exitCode : 1;
}
