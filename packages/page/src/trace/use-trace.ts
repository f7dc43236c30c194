/** The state of a trace on the page: the form that clicks fill, the request, and the hops that are drawn so far. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { PlacedNode } from '../layout/nodes.ts';
import type { PageItem, TraceAnswer } from '../model.ts';
import { askTrace } from '../server-connection.ts';
import { chooseEnd, emptyForm, requestOf, type TraceForm } from './ends.ts';
import { planRoute, type TraceStop } from './route.ts';

export type TraceResult = 'running' | { answer: TraceAnswer } | { problem: string };

export interface Trace {
  /** Undefined while clicks open panels. */
  form: TraceForm | undefined;
  result: TraceResult | undefined;
  /** The stops that are drawn so far. */
  route: readonly TraceStop[];
  /** @param from where it starts, if that is known */
  open(from: PageItem | undefined): void;
  close(): void;
  /** A click on an item; the second one sends the probe. */
  choose(item: PageItem, node?: PlacedNode): void;
  change(part: Partial<TraceForm>): void;
  run(): void;
}

/** Between two hops that are drawn. */
const HOP_MS = 350;

export function useTrace(items: readonly PageItem[]): Trace {
  const [form, setForm] = useState<TraceForm>();
  const { result, send, reset } = useRequest();
  const open = useCallback(
    (from: PageItem | undefined) => {
      reset();
      setForm(from === undefined ? emptyForm : chooseEnd(emptyForm, from));
    },
    [reset],
  );
  const close = useCallback(() => {
    reset();
    setForm(undefined);
  }, [reset]);
  const choose = useCallback(
    (item: PageItem, node?: PlacedNode) => {
      const chosen = chooseEnd(form ?? emptyForm, item, node);
      if (chosen === form) return;
      setForm(chosen);
      if (chosen.to === '') reset();
      else send(chosen);
    },
    [form, reset, send],
  );
  const change = useCallback((part: Partial<TraceForm>) => setForm((before) => before && { ...before, ...part }), []);
  const run = useCallback(() => form && send(form), [form, send]);
  const route = useRoute(result, items);
  return { form, result, route, open, close, choose, change, run };
}

function useRequest(): { result: TraceResult | undefined; send(form: TraceForm): void; reset(): void } {
  const [result, setResult] = useState<TraceResult>();
  const running = useRef<AbortController>(undefined);
  const reset = useCallback(() => {
    running.current?.abort();
    setResult(undefined);
  }, []);
  const send = useCallback((form: TraceForm) => {
    const request = requestOf(form);
    running.current?.abort();
    if (request === undefined) {
      setResult({ problem: 'Name both ends; a port is a number from 1 to 65535, /udp for datagrams.' });
      return;
    }
    running.current = new AbortController();
    const { signal } = running.current;
    setResult('running');
    askTrace(request, signal).then(
      (answer) => !signal.aborted && setResult({ answer }),
      (error: unknown) =>
        !signal.aborted && setResult({ problem: error instanceof Error ? error.message : String(error) }),
    );
  }, []);
  useEffect(() => reset, [reset]);
  return { result, send, reset };
}

/** Hop by hop, or all at once for users who want no motion. */
function useRoute(result: TraceResult | undefined, items: readonly PageItem[]): readonly TraceStop[] {
  const answer = typeof result === 'object' && 'answer' in result ? result.answer : undefined;
  const stops = useMemo(() => (answer === undefined ? [] : planRoute(answer, items)), [answer, items]);
  const [drawn, setDrawn] = useState(0);
  useEffect(() => {
    setDrawn(matchMedia('(prefers-reduced-motion: reduce)').matches ? Number.MAX_SAFE_INTEGER : 1);
    if (answer === undefined) return;
    const timer = setInterval(() => setDrawn((count) => count + 1), HOP_MS);
    const end = setTimeout(() => clearInterval(timer), HOP_MS * (answer.steps.length + 1));
    return () => {
      clearInterval(timer);
      clearTimeout(end);
    };
  }, [answer]);
  return useMemo(() => stops.slice(0, drawn), [stops, drawn]);
}
