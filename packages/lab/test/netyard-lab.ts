/** `netyard lab …` without the other commands, for the tests of this package. */
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
