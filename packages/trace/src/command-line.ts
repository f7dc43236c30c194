/** Commands that fix what was found. Pure. */
import { quoteWord } from '@netyard/kernel';

/**
 * A command with each value as one word of sh(1). Containers choose names of interfaces, such as `$(halt)`, and users name
 * their own engines' containers and namespaces: a command that root copies must not run parts of them.
 */
export const commandLine = (parts: TemplateStringsArray, ...values: readonly (string | number)[]): string =>
  String.raw({ raw: parts }, ...values.map((value) => quoteWord(String(value))));
