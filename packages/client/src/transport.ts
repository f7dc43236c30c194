/**
 * HTTP to one daemon: requests, bodies that stream in both directions, and hijacked connections. Knows no Docker
 * objects.
 */
import { readFileSync } from 'node:fs';
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Agent as TlsAgent } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NetyardError } from '@netyard/core';
import type { DaemonAddress, TlsFiles } from './address.ts';
import { connectionError, daemonError } from './errors.ts';

// Not imported: that would read each export of node:http, one of which (WebSocket) loads undici and takes 40 ms.
const http = process.getBuiltinModule('node:http');
const loadHttps = () => process.getBuiltinModule('node:https');

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface Call {
  /** Undefined, false and '' are omitted; true is `1`. */
  query?: Readonly<Record<string, QueryValue>> | undefined;
  json?: unknown;
  body?: Readable | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  signal?: AbortSignal | undefined;
}

export interface Hijacked {
  /** Both directions; `end()` half-closes. */
  stream: Duplex;
  /** `application/vnd.docker.raw-stream` or `…multiplexed-stream`. */
  contentType: string;
}

/** Path segments as Docker's clients escape them: `:` and `@` are kept, `/` separates. */
export const pathOf = (text: string): string =>
  text
    .split('/')
    .map((part) => encodeURIComponent(part).replaceAll('%3A', ':').replaceAll('%40', '@'))
    .join('/');

/** The same for names that contain a slash: it separates nothing. */
export const segmentOf = (text: string): string => pathOf(text).replaceAll('/', '%2F');

/** Larger than any answer of a daemon that has a text: 10,000 containers have some 80 MiB. In bytes. */
const defaultMaxAnswer = 256 * 1024 * 1024;

export class Transport {
  readonly address: DaemonAddress;
  /** Of an answer that is kept as text, in bytes. */
  readonly maxAnswer: number;
  readonly #agent: Agent | TlsAgent;

  constructor(address: DaemonAddress, maxAnswer = defaultMaxAnswer) {
    this.address = address;
    this.maxAnswer = maxAnswer;
    const tls = address.kind === 'tcp' ? address.tls : undefined;
    this.#agent = tls
      ? new (loadHttps().Agent)({ keepAlive: true, ...readTls(tls) })
      : new http.Agent({ keepAlive: true });
  }

  /**
   * The response, its body unread. Throws DaemonError for a status of 400 and more; 304, already done, is no failure.
   */
  async send(method: string, path: string, call: Call = {}): Promise<IncomingMessage> {
    const outgoing = this.#open(method, path, call);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve);
      outgoing.on('error', (error) => reject(connectionError(this.address, error)));
      this.#sendBody(outgoing, call, reject);
    });
    await refuseFailure(answer, `${method} ${path}`, this.maxAnswer);
    return answer;
  }

  /** Hijacks the connection, as attach and exec do. */
  async hijack(path: string, call: Call = {}): Promise<Hijacked> {
    const headers = { ...call.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const outgoing = this.#open('POST', path, { ...call, headers });
    return await new Promise((resolve, reject) => {
      outgoing.on('error', (error) => reject(connectionError(this.address, error)));
      outgoing.on('upgrade', (answer, stream: Duplex, head: Buffer) => {
        if (head.length > 0) stream.unshift(head);
        resolve({ stream, contentType: answer.headers['content-type'] ?? '' });
      });
      outgoing.on('response', (answer) => {
        const unexpected = new NetyardError('failed', `unable to upgrade to tcp, received ${answer.statusCode}`);
        refuseFailure(answer, `POST ${path}`, this.maxAnswer).then(() => reject(unexpected), reject);
      });
      this.#sendBody(outgoing, call, reject);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #open(method: string, path: string, call: Call): ClientRequest {
    const options: RequestOptions = {
      method,
      path: path + queryText(call.query),
      agent: this.#agent,
      headers: { 'User-Agent': 'Netyard-Client', ...call.headers },
      ...(call.signal ? { signal: call.signal } : {}),
      ...(this.address.kind === 'unix'
        ? // servername: otherwise Node compiles a regular expression for IPv6 (4 ms) to see whether the host is an address.
          { socketPath: this.address.path, host: 'netyard', servername: '' }
        : { host: this.address.host, port: this.address.port }),
    };
    const secure = this.address.kind === 'tcp' && this.address.tls !== undefined;
    return secure ? loadHttps().request(options) : http.request(options);
  }

  #sendBody(outgoing: ClientRequest, call: Call, reject: (error: unknown) => void): void {
    if (call.body) {
      if (!outgoing.hasHeader('Content-Type')) outgoing.setHeader('Content-Type', 'application/x-tar');
      // A daemon that rejects a request closes early; its response says more than the broken pipe does.
      pipeline(call.body, outgoing).catch((error: unknown) => setTimeout(() => reject(error), 200).unref());
    } else if (call.json !== undefined) {
      const text = JSON.stringify(call.json);
      outgoing.setHeader('Content-Type', 'application/json');
      outgoing.setHeader('Content-Length', Buffer.byteLength(text));
      outgoing.end(text);
    } else {
      if (outgoing.method !== 'GET' && outgoing.method !== 'HEAD') outgoing.setHeader('Content-Length', 0);
      outgoing.end();
    }
  }
}

function readTls(files: TlsFiles): { ca?: Buffer; cert: Buffer; key: Buffer; rejectUnauthorized: boolean } {
  const read = (path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (cause) {
      throw new NetyardError('invalid', `could not read TLS file ${path}`, { cause });
    }
  };
  const ca = files.verify ? { ca: read(files.ca) } : {};
  return { ...ca, cert: read(files.cert), key: read(files.key), rejectUnauthorized: files.verify };
}

function queryText(query: Call['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === false || value === '') continue;
    if (Array.isArray(value)) for (const item of value) parameters.append(name, item);
    else parameters.append(name, value === true ? '1' : String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

async function refuseFailure(answer: IncomingMessage, request: string, maxAnswer: number): Promise<void> {
  const status = answer.statusCode ?? 0;
  if (status < 400) return;
  throw daemonError(status, await readText(answer, maxAnswer), request);
}

/** Throws `failed` for an answer of more than `maxLength` bytes, and reads no more of it. */
export async function readText(answer: Readable, maxLength: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > maxLength) throw new NetyardError('failed', `an answer is longer than ${maxLength} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
