/** `lab`: virtual hosts. The words belong to the lab box; here they are only handed over. */

/** Resolves with the exit code. */
export async function runLab(args: string[]): Promise<number> {
  const { labCommand } = await import('@netyard/lab');
  await labCommand().name('netyard lab').parseAsync(args, { from: 'user' });
  return Number(process.exitCode ?? 0);
}
