/** Where a link is and what it has, as `ns` takes it: `[NAMESPACE:]LINK[=ADDRESS/LENGTH]`. Pure. */
import { NetyardError, parsePrefix } from '@netyard/core';

export interface InterfaceArgument {
  /** '' is the namespace of this process. */
  ns: string;
  link: string;
  /** `10.1.1.1/24`, more than one separated by commas. */
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

/** What the kernel takes: 1 to 15 bytes without `/`, `:` and space. */
export function checkLinkName(link: string, text = link): void {
  const bad = !/^[^\s/:\0]+$/.test(link) || link === '.' || link === '..' || Buffer.byteLength(link) > 15;
  if (!bad) return;
  throw invalid(
    `invalid link name ${JSON.stringify(link)} in ${JSON.stringify(text)}`,
    'A link name has 1 to 15 characters, no slash, colon or space. Write [NAMESPACE:]LINK[=ADDRESS/LENGTH].',
  );
}
