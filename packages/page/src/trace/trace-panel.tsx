/** The panel of a trace: its ends, the sentence that explains it, and its hops. */
import { type FormEvent, useEffect, useRef } from 'react';
import type { TraceAnswer, TraceStepItem } from '../model.ts';
import type { Trace } from './use-trace.ts';

export function TracePanel({ trace }: { trace: Trace }) {
  const { form, result, close, change, run } = trace;
  const heading = useRef<HTMLHeadingElement>(null);
  const isChosen = form?.from !== '' && form?.to !== '';
  // Who chooses on the map stays there.
  useEffect(() => {
    if (!(document.activeElement instanceof HTMLElement) || document.activeElement === document.body)
      heading.current?.focus();
  }, []);
  if (form === undefined) return null;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    run();
  };
  return (
    <aside className="panel" aria-label="Trace">
      <div className="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          Trace
        </h2>
        <button type="button" onClick={close} aria-label="Close" aria-keyshortcuts="Escape">
          ✕
        </button>
      </div>
      <form className="trace-form" onSubmit={submit}>
        <TextField title="From" value={form.from} change={(from) => change({ from })} />
        <TextField title="To" value={form.to} change={(to) => change({ to })} />
        <TextField title="Port" value={form.port} placeholder="none: ping" change={(port) => change({ port })} />
        <button type="submit" disabled={result === 'running'}>
          Send
        </button>
      </form>
      <div role="status" className="trace-result">
        {result === undefined && !isChosen && (
          <p>{form.from === '' ? 'Click where the packet starts, or press Enter there.' : 'Click where it leads.'}</p>
        )}
        {result === 'running' && <p>Sending…</p>}
        {typeof result === 'object' && 'problem' in result && <p className="problem">{result.problem}</p>}
        {typeof result === 'object' && 'answer' in result && <Conclusion answer={result.answer} />}
      </div>
      {typeof result === 'object' && 'answer' in result && <Steps answer={result.answer} />}
    </aside>
  );
}

function TextField(props: { title: string; value: string; placeholder?: string; change(text: string): void }) {
  const { title, value, placeholder, change } = props;
  return (
    <label>
      {title}
      <input
        value={value}
        placeholder={placeholder}
        spellCheck={false}
        onChange={({ target }) => change(target.value)}
      />
    </label>
  );
}

const outcomeMarks = { reached: '✓', 'not-reached': '✕', unknown: '?' } as const;

function Conclusion({ answer }: { answer: TraceAnswer }) {
  const { outcome, sentence, fix, grade, incomplete } = answer;
  return (
    <>
      <p className={`trace-${outcome}`}>
        <strong aria-hidden="true">{outcomeMarks[outcome]}</strong> {sentence}
        {grade !== 'observed' && ` (${grade}, not observed)`}
      </p>
      {fix !== undefined && (
        <p>
          Fix: <code className="command">{fix}</code>
        </p>
      )}
      {incomplete.map((problem) => (
        <p key={problem} className="detail">
          Not observed: {problem}
        </p>
      ))}
    </>
  );
}

function Steps({ answer }: { answer: TraceAnswer }) {
  return (
    <>
      <h3>Hops</h3>
      <StepList steps={answer.steps} />
      {answer.answer.length > 0 && (
        <>
          <h3>Answer</h3>
          <StepList steps={answer.answer} />
        </>
      )}
    </>
  );
}

const stateTexts: Readonly<Record<TraceStepItem['state'], string>> = {
  ...{ seen: '', predicted: 'predicted', missing: 'not seen', dropped: '✕ dropped here' },
};

function StepList({ steps }: { steps: readonly TraceStepItem[] }) {
  return (
    <ol className="trace-steps">
      {steps.map(({ place, kind, name, direction, state, atMs }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: steps of one answer never change, and may be alike
        <li key={index} className={`trace-step-${state}`}>
          <span className="detail mono">{atMs === undefined ? '' : atMs.toFixed(2)}</span> <strong>{place}</strong>{' '}
          <span className="mono">{kind === 'link' ? `${direction ?? ''} ${name}` : `${kind} ${name}`}</span>{' '}
          {stateTexts[state] !== '' && <em>{stateTexts[state]}</em>}
        </li>
      ))}
    </ol>
  );
}
