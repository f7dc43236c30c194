/** Captures packets for a while: shows them as they pass, then saves them as a file. Only with the daemon's `--web-actions`. */

import { type FormEvent, useState } from 'react';
import { type PacketRow, useCapture } from '../capture/use-capture.ts';
import { ColumnTitles } from '../column-titles.tsx';

export function CaptureForm({ target, name }: { target: string; name: string }) {
  const [filter, setFilter] = useState('');
  const [seconds, setSeconds] = useState(10);
  const { isRunning, message, rows, count, start, stop } = useCapture();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    start({ target, filter, seconds }, `${name}.pcapng`);
  };
  return (
    <section>
      <h3>Capture</h3>
      <form className="capture" onSubmit={submit}>
        <label>
          Filter
          <input
            value={filter}
            placeholder="tcp port 80"
            spellCheck={false}
            onChange={(event) => setFilter(event.target.value)}
          />
        </label>
        <label>
          Seconds
          <input
            type="number"
            min={1}
            max={600}
            value={seconds}
            onChange={(event) => setSeconds(Number(event.target.value))}
          />
        </label>
        {isRunning ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="submit">Capture</button>
        )}
      </form>
      <output>{message}</output>
      {count > 0 && <Packets rows={rows} count={count} />}
    </section>
  );
}

function Packets({ rows, count }: { rows: readonly PacketRow[]; count: number }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls needs the focus for its keys
    <section className="packets" tabIndex={0} aria-label="Packets">
      <table className="mono">
        <caption>{rows.length < count ? `The last ${rows.length} of ${count} packets` : `${count} packets`}</caption>
        <ColumnTitles titles={['s', 'From', 'To', 'What', 'Bytes']} />
        <tbody>
          {rows.map(({ number, time, source, destination, protocol, info, length }) => (
            <tr key={number}>
              <td>{time.toFixed(3)}</td>
              <td>{source}</td>
              <td>{destination}</td>
              <td>
                {protocol} {info}
              </td>
              <td>{length}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
