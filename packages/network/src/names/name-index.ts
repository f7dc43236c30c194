/**
 * All published names, looked up as resolvers ask: `NAME.HOST`, `NAME` and by address. Names know no case (RFC 4343).
 * Made anew when something changed; holds no sockets and asks nobody. Pure.
 */
import type { RemoteName } from '../contract.ts';
import { fullName } from './published-name.ts';

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

  /** All that bear the name, written either way, without the dot at its end: one is an answer, several are none. */
  named(text: string): readonly RemoteName[] {
    const key = text.toLowerCase().replace(/\.$/, '');
    return this.#full.get(key) ?? this.#short.get(key) ?? [];
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
   * Where the target of a link to `host/name` is now: the same container whatever it is called, else the named host's
   * container of that name, else the only one of that name anywhere.
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
  const there = map.get(key);
  if (there) there.push(name);
  else map.set(key, [name]);
}
