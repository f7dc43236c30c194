/** The error that a system call of the fake kernel returns. */
import { errnoOf, kernelError } from '@netyard/kernel';

export const failure = (errno: string, operation: string, object: string) =>
  kernelError(errnoOf(errno), operation, object);
