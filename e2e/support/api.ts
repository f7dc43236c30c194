/** The engine's HTTP API without the docker CLI: well-formed requests, and raw bytes. */
import { request } from 'node:http';
import { connect } from 'node:net';
import type { TestHost } from './host.ts';

export interface ApiAnswer {
  status: number;
  body: string;
}

/** Path of the engine's socket outside of the host. */
export const apiSocket = (host: TestHost): string => `/proc/${host.pid}/root/run/netyard/netyard.sock`;

/** Sends one request. A string is sent as body unchanged, any other value as JSON. */
export function call(host: TestHost, method: string, path: string, body?: unknown): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const headers =
      body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    const outgoing = request({ socketPath: apiSocket(host), method, path, headers, agent: false }, (answer) => {
      let received = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        received += part;
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: received }));
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

/**
 * Sends bytes and half-closes the connection unless `keepOpen`.
 * @returns the answer up to the end of the connection, to `leaveAfter` or to the timeout
 */
export function sendRaw(
  host: TestHost,
  bytes: string,
  options: { keepOpen?: boolean; waitMs?: number; leaveAfter?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ path: apiSocket(host), allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(), options.waitMs ?? 60_000);
    socket.setEncoding('utf8').on('data', (text) => {
      received += text;
      if (options.leaveAfter !== undefined && received.includes(options.leaveAfter)) socket.destroy();
    });
    socket.once('error', (error) => (received === '' ? reject(error) : undefined));
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.once('end', () => socket.end());
    socket.write(bytes);
    if (!options.keepOpen) socket.end();
  });
}

/** Sends a body of `megabytes` until it is rejected. @returns the answer's status, 0 when the connection was closed */
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
