/** Captures packets for a while, then saves them as a file. Only with the daemon's `--web-actions`. */
import { type FormEvent, useState } from 'react';
import { capture } from '../server-connection.ts';

export function CaptureForm({ target, name }: { target: string; name: string }) {
  const [filter, setFilter] = useState('');
  const [seconds, setSeconds] = useState(10);
  const [message, setMessage] = useState('');
  const [isRunning, setRunning] = useState(false);
  const file = `${name}.pcapng`;
  const start = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setRunning(true);
    setMessage(`Capturing for ${seconds} s…`);
    try {
      save(await capture({ target, filter, seconds }), file);
      setMessage(`Saved as ${file}; open it with: wireshark ${file}`);
    } catch (error) {
      setMessage(error instanceof Error ? error.message : String(error));
    } finally {
      setRunning(false);
    }
  };
  return (
    <section>
      <h3>Capture</h3>
      <form className="capture" onSubmit={(event) => void start(event)}>
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
        <button type="submit" disabled={isRunning}>
          Capture
        </button>
      </form>
      <output>{message}</output>
    </section>
  );
}

function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
