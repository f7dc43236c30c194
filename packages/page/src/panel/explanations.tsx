/** What the daemon is asked for on a click: rules, the script, checks. */
import { useEffect, useState } from 'react';
import type { ChecksAnswer, ExplainAnswer, RulesAnswer } from '../model.ts';
import { ask } from '../server-connection.ts';

type Answered<Answer> = { answer: Answer } | { problem: string } | undefined;

function useAnswer<Answer>(path: string, query: Readonly<Record<string, string>>, isOpen = true): Answered<Answer> {
  const [answered, setAnswered] = useState<Answered<Answer>>();
  const text = new URLSearchParams(query).toString();
  useEffect(() => {
    if (!isOpen) return;
    const ending = new AbortController();
    ask<Answer>(path, Object.fromEntries(new URLSearchParams(text)), ending.signal).then(
      (answer) => setAnswered({ answer }),
      (error: unknown) => {
        if (!ending.signal.aborted) setAnswered({ problem: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => ending.abort();
  }, [path, text, isOpen]);
  return answered;
}

function Waiting<Answer>({ answered }: { answered: Answered<Answer> }) {
  if (answered === undefined) return <p>Loading…</p>;
  return 'problem' in answered ? <p className="problem">{answered.problem}</p> : null;
}

const effectMarks = { permits: '✓', forbids: '✕', translates: '⇄' } as const;

export function Rules({ query, title }: { query: Readonly<Record<string, string>>; title: string }) {
  const answered = useAnswer<RulesAnswer>('/api/rules', query);
  const rules = answered && 'answer' in answered ? answered.answer.rules : undefined;
  return (
    <section>
      <h3>{title}</h3>
      {rules === undefined ? <Waiting answered={answered} /> : rules.length === 0 && <p>No rule of its own.</p>}
      <ul className="plain">
        {rules?.map(({ effect, text, command }) => (
          <li key={command} className={`rule rule-${effect}`}>
            <span className="rule-mark">{effectMarks[effect]}</span> <span className="hidden-text">{effect}: </span>
            {text}
            <code className="command">{command}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Fetched when it is opened. */
export function Script({ reference }: { reference: string }) {
  const [isOpen, setOpen] = useState(false);
  const answered = useAnswer<ExplainAnswer>('/api/explain', { ref: reference }, isOpen);
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Script that creates it</summary>
      {answered && 'answer' in answered ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls needs the focus for its keys
        <pre tabIndex={0}>{answered.answer.script}</pre>
      ) : (
        isOpen && <Waiting answered={answered} />
      )}
    </details>
  );
}

/** @param about only checks that name this object */
export function Checks({ about }: { about?: string }) {
  const [isOpen, setOpen] = useState(false);
  const answered = useAnswer<ChecksAnswer>('/api/checks', {}, isOpen);
  const all = answered && 'answer' in answered ? answered.answer.checks : undefined;
  const checks = all?.filter(({ text }) => about === undefined || text.includes(about));
  return (
    <details onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{about === undefined ? 'Checks of this host' : 'Checks that name it'}</summary>
      {checks === undefined ? isOpen && <Waiting answered={answered} /> : checks.length === 0 && <p>None.</p>}
      <ul className="plain">
        {checks?.map(({ grade, text, fix }) => (
          <li key={text} className={`check check-${grade}`}>
            <strong>{grade}</strong> {text}
            {fix !== '' && <code className="command">{fix}</code>}
          </li>
        ))}
      </ul>
    </details>
  );
}
