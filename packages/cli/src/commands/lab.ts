/** `lab`: virtual hosts. Passes its arguments to the package `lab`, which parses them. */
import { CommanderError } from 'commander';
import { Failure } from '../failure.ts';

/** Resolves with the exit code. */
export async function runLab(args: string[]): Promise<number> {
  const { labCommand } = await import('@netyard/lab');
  const lab = labCommand().name('netyard lab');
  if (args.length === 0) {
    lab.outputHelp();
    return 0;
  }
  try {
    await lab.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) throw new Failure(error.message, error.exitCode);
    throw error;
  }
  return Number(process.exitCode ?? 0);
}
