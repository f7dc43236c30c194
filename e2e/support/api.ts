/** The engine's HTTP API without the docker CLI between: well-formed requests, and bytes as they come. */
import { request } from 'node:http';
import { connect } from 'node:net';
import type { TestHost } from './host.ts';

export interface ApiAnswer {
  status: number;
  body: string;
}

/** The engine's socket as seen from the machine. */
export const apiSocket = (host: TestHost): string => `/proc/${host.pid}/root/run/netyard/netyard.sock`;

/** One request; an object as body is sent as JSON, a string as it is. */
export function call(host: TestHost, method: string, path: string, body?: unknown): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': text.length };
    const outgoing = request({ socketPath: apiSocket(host), method, path, headers, agent: false }, (answer) => {
      let said = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        said += part;
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: said }));
      answer.once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end(text);
  });
}

/** The `message` of an error answer. */
export function messageIn(answer: ApiAnswer): string {
  const parsed: unknown = JSON.parse(answer.body);
  const message = typeof parsed === 'object' && parsed !== null && 'message' in parsed ? parsed.message : undefined;
  if (typeof message === 'string') return message;
  throw new Error(`no message in ${answer.body}`);
}

/** Sends bytes and half-closes (unless asked to keep open); gives what came back until the end, the text to leave after, or the end of the time. */
export function sendRaw(
  host: TestHost,
  bytes: string,
  options: { keepOpen?: boolean; waitMs?: number; leaveAfter?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect({ path: apiSocket(host), allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(), options.waitMs ?? 60_000);
    socket.setEncoding('utf8').on('data', (text) => {
      said += text;
      if (options.leaveAfter !== undefined && said.includes(options.leaveAfter)) socket.destroy();
    });
    socket.once('error', (error) => (said === '' ? reject(error) : undefined));
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
    socket.once('end', () => socket.end());
    socket.write(bytes);
    if (!options.keepOpen) socket.end();
  });
}

/** Offers a body of `megabytes` until it is refused; gives the answer's status, or 0 when the connection was cut. */
export function sendHuge(
  host: TestHost,
  path: string,
  megabytes: number,
): Promise<{ status: number; sentMegabytes: number }> {
  return new Promise((resolve) => {
    let status = 0;
    let sent = 0;
    const length = megabytes * 1024 * 1024;
    const headers = { 'Content-Type': 'application/json', 'Content-Length': length };
    const outgoing = request({ socketPath: apiSocket(host), method: 'POST', path, headers, agent: false }, (answer) => {
      status = answer.statusCode ?? 0;
      answer.resume();
      answer.once('close', () => outgoing.destroy());
    });
    const chunk = Buffer.alloc(1024 * 1024, '[');
    const pump = (): void => {
      while (sent < megabytes && !outgoing.destroyed && status === 0) {
        sent += 1;
        if (!outgoing.write(chunk)) return;
      }
      if (sent >= megabytes) outgoing.end();
    };
    outgoing.on('drain', pump);
    outgoing.on('error', () => {});
    outgoing.once('close', () => resolve({ status, sentMegabytes: sent }));
    pump();
  });
}
