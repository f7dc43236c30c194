/** Parses the `ns` commands' argument `[NAMESPACE:]INTERFACE[=ADDRESS/LENGTH]`. Pure. */
import { NetyardError, parsePrefix } from '@netyard/core';

export interface InterfaceArgument {
  /** '' means the namespace of this process. */
  ns: string;
  link: string;
  /** `10.1.1.1/24`; in the argument they are separated by commas. */
  addresses: string[];
}

const invalid = (text: string, hint: string): NetyardError => new NetyardError('invalid', text, { hint });

/** `r1:eth0=10.1.1.1/24`, `:veth1.1=10.1.1.1/24`, `eth0`. Throws `invalid`. */
export function parseInterfaceArgument(text: string): InterfaceArgument {
  const split = text.indexOf('=');
  const place = split === -1 ? text : text.slice(0, split);
  const addresses = split === -1 ? [] : text.slice(split + 1).split(',');
  const colon = place.indexOf(':');
  const ns = colon === -1 ? '' : place.slice(0, colon);
  const link = place.slice(colon + 1);
  checkLinkName(link, text);
  for (const address of addresses) parsePrefix(address);
  return { ns, link, addresses };
}

/** Names that the kernel accepts: 1 to 15 bytes without `/`, `:` and space. */
export function checkLinkName(link: string, text = link): void {
  const bad = !/^[^\s/:\0]+$/.test(link) || link === '.' || link === '..' || Buffer.byteLength(link) > 15;
  if (!bad) return;
  throw invalid(
    `invalid interface name ${JSON.stringify(link)} in ${JSON.stringify(text)}`,
    'use [NAMESPACE:]INTERFACE[=ADDRESS/LENGTH]; INTERFACE is 1 to 15 characters without slash, colon or space',
  );
}
