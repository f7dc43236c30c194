/** Prints what a peer changes on the host, to compare it before and after an operation. */
import { sh } from '@netyard/testkit';

/** Routes as `routes` prints them, links, entries of tunnels and rules; without counters. */
export const dumpHost = (routes: string): string =>
  sh(
    `${routes}; ip -o link | cut -d: -f2- | sort; bridge fdb | grep dst || true; ip neighbour show nud permanent; nft list ruleset | sed "/^table .* netyard_guard/,/^}/d"`,
  )
    .replaceAll(/packets \d+ bytes \d+/g, '')
    .replaceAll(/state \w+ | qlen \d+|NO-CARRIER,|,LOWER_UP| linkdown/g, ''); // the kernel settles the carrier later
