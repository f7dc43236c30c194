/** `netyard lab …` without the rest of the command line, for the tests of this box. */
import { isNetyardError } from '@netyard/core';
import { labCommand } from '../src/index.ts';

try {
  await labCommand().parseAsync();
} catch (error) {
  if (!isNetyardError(error)) throw error;
  console.error(`netyard: ${error.message}`);
  process.exitCode ||= 1;
}
