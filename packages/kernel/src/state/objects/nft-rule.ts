/**
 * Handler of our rules in chains of other programs. A rule is identified by its comment; other rules of the chain are
 * left alone, and the chain itself is never created.
 */
import type { NftRuleObject } from '../../desired.ts';
import { listChain } from '../../netlink/nft/chain.ts';
import { chainSpec, checkRule, printRule } from '../../netlink/nft/rule.ts';
import type { Session } from '../../netlink/session.ts';
import { absent, type ObjectHandler, observed, type Undo } from './handler.ts';

/** Rules of the chain with the object's comment. */
const findRules = (session: Session, object: NftRuleObject) =>
  (listChain(session.nft(object.ns), object, session.netfilter(object.ns))?.rules ?? []).filter(
    ({ comment }) => comment === object.comment,
  );

function run(session: Session, object: NftRuleObject, commands: readonly string[]): void {
  if (commands.length === 0) return;
  session.nft(object.ns).run(commands.join('\n'), { operation: 'nft rule', object: chainSpec(object) });
}

const deletions = (session: Session, object: NftRuleObject): string[] =>
  findRules(session, object).map(({ handle }) => `delete rule ${chainSpec(object)} handle ${handle}`);

function replace(session: Session, object: NftRuleObject): Undo {
  run(session, object, [...deletions(session, object), printRule(object)]);
  return () => run(session, object, deletions(session, object));
}

export const nftRuleHandler: ObjectHandler<NftRuleObject> = {
  check: checkRule,
  observe(session, object) {
    const [found, ...more] = findRules(session, object);
    if (!found) return absent;
    return observed([found.text !== object.rule && found.text, more.length > 0 && 'more than once']);
  },
  create: replace,
  change: replace,
  delete(session, object) {
    const commands = deletions(session, object);
    run(session, object, commands);
    return commands.length > 0;
  },
};
