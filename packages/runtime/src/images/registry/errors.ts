/** Converts errors of registries and of connections to them to NetyardErrors with Docker's messages. Pure. */
import { type ErrorCode, NetyardError } from '@netyard/core';

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  405: 'not-implemented',
};

/** distribution-spec, "Error codes": `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`. */
export function refusalOf(status: number, body: string, request: string): NetyardError {
  const code = codes[status] ?? 'unavailable';
  const [first] = parseErrors(body);
  if (first) return new NetyardError(code, `${words(first.code)}: ${first.message}`);
  return new NetyardError(code, `${defaultMessages[status] ?? `received unexpected HTTP status: ${status}`}`, {
    hint: request,
  });
}

const defaultMessages: Readonly<Record<number, string>> = {
  401: 'unauthorized: authentication required',
  403: 'denied: requested access to the resource is denied',
  404: 'manifest unknown: manifest unknown',
};

const words = (code: string): string => code.toLowerCase().replaceAll('_', ' ');

function parseErrors(body: string): { code: string; message: string }[] {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || !('errors' in value) || !Array.isArray(value.errors)) return [];
    return value.errors
      .filter((error: unknown): error is { code: string; message?: unknown } => hasCode(error))
      .map(({ code, message }) => ({ code, message: typeof message === 'string' ? message : words(code) }));
  } catch {
    return []; // a proxy's page rather than a registry's answer
  }
}

function hasCode(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
}

/** A failed connection, with Go's message. */
export function connectionError(method: string, url: URL, error: NodeJS.ErrnoException): NetyardError {
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  return new NetyardError('unavailable', `${verb} "${url.href}": ${reasonOf(url, error)}`, { cause: error });
}

function reasonOf(url: URL, error: NodeJS.ErrnoException & { address?: string; port?: number }): string {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const address = `${error.address ?? url.hostname}:${error.port ?? port}`;
  switch (error.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address}: connect: connection refused`;
    case 'ENETUNREACH':
      return `dial tcp ${address}: connect: network is unreachable`;
    case 'EHOSTUNREACH':
      return `dial tcp ${address}: connect: no route to host`;
    case 'ETIMEDOUT':
      return `dial tcp ${address}: i/o timeout`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${url.hostname}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution`;
    default:
      return error.message;
  }
}
