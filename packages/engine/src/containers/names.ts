/** Random names for unnamed containers: an adjective and the surname of a notable person in computing or networking. */
import { randomInt } from 'node:crypto';
import { isName, NetyardError, shortId } from '@netyard/core';
import type { ContainerIndex } from '../records/container-index.ts';

const adjectives =
  `able agile airy alert amber ample apt arctic azure balanced bold brave breezy bright brisk calm candid
  careful cheerful civil clear clever cosmic cozy crisp curious daring dazzling deft eager earnest easy elated epic fair
  fearless festive fine fluent fond frank fresh friendly gallant gentle glad golden good graceful grand handy hardy
  hopeful humble ideal jolly jovial joyful keen kind laughing lively loving loyal lucid lucky mellow merry mild modest
  neat nimble noble patient peaceful plucky polite proud quick quiet rapid ready relaxed resolute robust serene sharp
  shiny silent sincere smart snappy solid spirited stable steady stoic sunny swift tender tidy tranquil trusting upbeat
  vast vibrant vigilant vivid warm watchful wise witty wonderful young zealous zen`.split(/\s+/);

const surnames = `abbate allen antonelli babbage backus bartik baran bellovin berners boggs boole booth borg brooks
  burks cerf chomsky clark clarke cocke codd cohen corbato cox crocker curie dahl davies dean deering diffie dijkstra
  easley eckert engelbart erdos estrin euler faggin feinler feynman floyd floydwarshall gauss germain goldberg goldwasser
  gosper gray hamilton hamming hellman hoare holberton hopper huffman iverson jacobson johnson joy kahan kahn kapor karp
  kay keller kernighan kilby kirstein kleinrock knuth kolmogorov lamarr lamport lampson leiner leibniz licklider liskov
  lovelace mauchly mccarthy mckusick meitner merkle metcalfe mills minsky mockapetris moore morris naur neumann newell
  noether nygaard partridge pascal perlman perlis plauger postel pouzin rivest ritchie roberts rossum saltzer shamir
  shannon simon spence stallman stevens stroustrup sutherland tanenbaum tarjan taylor thompson torvalds turing ullman
  vixie wilkes wilkinson williams wing wirth yao zimmermann zuse`.split(/\s+/);

/** `adjective_surname`; from the second attempt on with a digit appended. */
export function randomName(attempt = 0): string {
  const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? 'netyard';
  return `${pick(adjectives)}_${pick(surnames)}${attempt > 0 ? randomInt(10) : ''}`;
}

/**
 * Validates and returns the requested name, or generates an unused one. Throws `invalid` and `conflict` as Docker does.
 */
export function claimName(index: ContainerIndex, requested: string | undefined, id: string): string {
  if (requested !== undefined && requested !== '') {
    const name = checkName(requested);
    index.reserveName(name, id);
    return name;
  }
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const name = randomName(attempt);
    if (!index.nameIsFree(name)) continue;
    index.reserveName(name, id);
    return name;
  }
  index.reserveName(shortId(id), id);
  return shortId(id);
}

/** The name without its slash. Throws `invalid`; `what` is prepended to the message. */
export function checkName(text: string, what = ''): string {
  const name = text.startsWith('/') ? text.slice(1) : text;
  if (isName(name)) return name;
  throw new NetyardError(
    'invalid',
    `${what}Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}
