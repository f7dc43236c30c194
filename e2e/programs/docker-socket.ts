/** Requests to the engine through the socket that is mounted into the container, for the programs of this folder. */
import { type IncomingMessage, request } from 'node:http';

const socketPath = '/var/run/docker.sock';

/** Sends a request. @returns the response, whose body is unread */
export function open(method: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, resolve);
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** Sends a request and reads its JSON answer, undefined if it is empty. */
export async function ask(method: string, path: string): Promise<unknown> {
  const response = await open(method, path);
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  const status = response.statusCode ?? 0;
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text}`);
  return text === '' || !response.headers['content-type']?.includes('json') ? undefined : JSON.parse(text);
}
