/** Starts the page: exchanges the token of the address, then draws. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '@xyflow/react/dist/base.css';
import './page.css';
import { tokenOf } from './address-bar.ts';
import { App } from './app.tsx';
import { openSession } from './server-connection.ts';

const element = document.getElementById('page');
if (element === null) throw new Error('the page has no element to draw in');
const root = createRoot(element);

const token = tokenOf(location.hash);
// A used token stays neither in the address nor in the history.
if (token !== undefined) history.replaceState(null, '', location.pathname + location.search);

try {
  const { actions } = await openSession(token);
  root.render(
    <StrictMode>
      <App actions={actions} />
    </StrictMode>,
  );
} catch (error) {
  root.render(
    <main className="message">
      <h1>Netyard</h1>
      <p role="alert">{error instanceof Error ? error.message : String(error)}</p>
      <p>
        Run <code>netyard web</code> on the host and open the address that it prints.
      </p>
    </main>,
  );
}
