/**
 * Normalizes the OCI runtimes' errors about starting a process to runc's messages, which are Docker's. Pure.
 *
 * The runtimes report text only; the texts were collected from runc 1.1 and crun 1.8, see runtime-errors.test.ts.
 */
import { NetyardError } from '@netyard/core';

export interface AttemptedProcess {
  args: readonly string[];
  workingDirectory: string;
}

/** @param text the message of the failed call. @returns `invalid` if the command is the cause, else `failed`. */
export function processFailure(text: string, attempted: AttemptedProcess, cause: unknown): NetyardError {
  const reason = commandFailure(text, attempted);
  if (reason !== undefined) return new NetyardError('invalid', reason, { cause });
  return new NetyardError('failed', stripRuntimePrefixes(text), { cause });
}

function commandFailure(text: string, { args, workingDirectory }: AttemptedProcess): string | undefined {
  const quoted = JSON.stringify(args[0] ?? '');
  const command = args[0] ?? '';
  const said = stripRuntimePrefixes(text);
  if (command === '' && /executable/i.test(said)) return 'exec: "": executable file not found in $PATH';
  if (/executable file [^ ]* ?not found/i.test(said) || /open executable: no such file/i.test(said)) {
    return command.includes('/')
      ? `exec: ${quoted}: stat ${command}: no such file or directory`
      : `exec: ${quoted}: executable file not found in $PATH`;
  }
  const ofRunc = /exec: "(?:[^"\\]|\\.)*": .*$/i.exec(said);
  if (ofRunc) return ofRunc[0];
  if (/\bchdir\b|\bcwd\b/i.test(said) || said.startsWith(`mkdir ${workingDirectory}:`)) {
    const end = /(no such file or directory|not a directory|permission denied)/i.exec(said)?.[1] ?? 'failed';
    return `chdir to cwd (${JSON.stringify(workingDirectory)}) set in config.json failed: ${end.toLowerCase()}`;
  }
  if (/(open executable|cannot exec|the path .* (exists but it is not executable|is not executable)).*/i.test(said)) {
    return /is a directory/i.test(said) ? `exec: ${quoted}: is a directory` : `exec: ${quoted}: permission denied`;
  }
  return undefined;
}

/** Strips the prefixes of the layers that passed the message on, and the name of Go's error class at its end. */
export function stripRuntimePrefixes(text: string): string {
  return text
    .replace(/^.*OCI runtime \w+ failed: /s, '')
    .replace(/^(runc|crun) \w+ failed: /, '')
    .replace(/^unable to start container process: /, '')
    .replace(/^exec failed: (unable to start container process: )?/, '')
    .replace(/^error during container init: /, '')
    .replace(/: unknown$/, '');
}
