/**
 * Index of all published names: by `NAME.HOST`, by `NAME` and by address. Names are case-insensitive (RFC 4343). Built
 * anew after each change. Pure.
 */
import type { KnownName } from './answer.ts';
import { fullName, type RemoteName } from './name.ts';

export class NameIndex {
  readonly #full = new Map<string, RemoteName[]>();
  readonly #short = new Map<string, RemoteName[]>();
  readonly #byId = new Map<string, RemoteName>();
  readonly #byAddress = new Map<string, RemoteName>();

  constructor(names: readonly RemoteName[]) {
    for (const name of names) {
      add(this.#full, fullName(name).toLowerCase(), name);
      add(this.#short, name.name.toLowerCase(), name);
      this.#byId.set(name.containerId, name);
      this.#byAddress.set(name.address, name);
    }
  }

  /** All containers of that name, in either form, with or without a trailing dot. More than one means ambiguous. */
  named(text: string): readonly RemoteName[] {
    const key = text.toLowerCase().replace(/\.$/, '');
    return this.#full.get(key) ?? this.#short.get(key) ?? [];
  }

  /** For `decideAnswer`. */
  find(text: string): KnownName | undefined {
    const found = this.named(text);
    if (found.length === 0) return undefined;
    const addresses = found.map(({ address }) => address);
    return found.length > 1 ? { addresses, ambiguous: found } : { addresses };
  }

  nameOf(address: string): string | undefined {
    const found = this.byAddress(address);
    return found && fullName(found);
  }

  at(host: string, name: string): RemoteName | undefined {
    return this.#full.get(fullName({ host, name }).toLowerCase())?.[0];
  }

  byId(containerId: string): RemoteName | undefined {
    return this.#byId.get(containerId);
  }

  byAddress(address: string): RemoteName | undefined {
    return this.#byAddress.get(address);
  }

  /**
   * Finds the present target of a link to `host/name`: the same container under any name, else that host's container
   * of the name, else the only container of the name on any host.
   */
  follow(target: { host: string; name: string; containerId: string }): RemoteName | undefined {
    const elsewhere = this.#short.get(target.name.toLowerCase()) ?? [];
    return (
      this.byId(target.containerId) ??
      this.at(target.host, target.name) ??
      (elsewhere.length === 1 ? elsewhere[0] : undefined)
    );
  }
}

function add(map: Map<string, RemoteName[]>, key: string, name: RemoteName): void {
  const entries = map.get(key);
  if (entries) entries.push(name);
  else map.set(key, [name]);
}
