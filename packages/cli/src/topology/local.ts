/** Observing this host without its daemon: who may, and which engines to ask. */
import type { SurveyOptions } from '@netyard/topology';
import { Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';

/** Other users' namespaces are entered, which only root may. `command`: `netyard topology`. */
export function requireRoot(command: string): void {
  if (process.geteuid?.() === 0) return;
  throw new Failure(
    `${command} has to enter the network namespaces of containers, which only root may\nrun it with sudo: sudo ${command}`,
  );
}

/** The daemon that the command line names is asked, if it is on this host. */
export function surveyOptions(context: Context): SurveyOptions {
  const { address } = context.client();
  return { env: context.env, sockets: address.kind === 'unix' ? [address.path] : [] };
}
