/** Registries whose answers a test decides, and an image to serve from them. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sha256, tarOf } from './image-host.ts';

export interface FakeRegistry extends AsyncDisposable {
  /** A repository's name: `127.0.0.1:PORT/app`. */
  name: string;
  requests: IncomingMessage[];
}

/** An HTTP server on loopback that answers as the test says. */
export async function startFakeRegistry(answer: RequestListener): Promise<FakeRegistry> {
  return await listen(createServer(), '127.0.0.1', answer);
}

/**
 * The same with TLS, at an address that is no loopback's: only there a registry is verified.
 * @param certificates folder of the certificates of registries; that of this one is added
 */
export async function startTlsRegistry(
  address: string,
  certificates: string,
  answer: RequestListener,
): Promise<FakeRegistry> {
  const folder = join(certificates, 'new');
  mkdirSync(folder, { recursive: true });
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const names = ['-subj', '/CN=registry', '-addext', `subjectAltName=IP:${address}`];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...kind, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) });
  const registry = await listen(server, address, answer);
  const trusted = join(certificates, registry.name.replace(/\/app$/, ''));
  mkdirSync(trusted);
  copyFileSync(cert, join(trusted, 'ca.crt'));
  return registry;
}

async function listen(server: Server, address: string, answer: RequestListener): Promise<FakeRegistry> {
  const requests: IncomingMessage[] = [];
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    answer(request, response as Parameters<RequestListener>[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    name: `${address}:${port}/app`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface FakeImage {
  layer: Buffer;
  blobs: Map<string, Buffer>;
  manifest: Buffer;
  digest: string;
}

/** An image with one file of this size. */
export async function fakeImage(size = 100): Promise<FakeImage> {
  const plain = await tarOf([
    { name: 'file', body: Buffer.from(Array.from({ length: size }, (_, i) => (i * i) % 251)) },
  ]);
  const layer = gzipSync(plain, { level: 0 });
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(plain)}`] },
    }),
  );
  const descriptor = (mediaType: string, body: Buffer) => ({
    mediaType,
    digest: `sha256:${sha256(body)}`,
    size: body.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
    }),
  );
  const blobs = new Map([layer, config].map((body) => [`sha256:${sha256(body)}`, body]));
  return { layer, blobs, manifest, digest: `sha256:${sha256(manifest)}` };
}

/** Answers as a registry that has only this image. */
export function serve(image: FakeImage, request: IncomingMessage, response: ServerResponse): void {
  const last = request.url?.split('/').at(-1) ?? '';
  if (request.url === '/v2/') response.end('{}');
  else if (request.url?.includes('/manifests/')) {
    response.setHeader('content-type', 'application/vnd.oci.image.manifest.v1+json');
    response.end(image.manifest);
  } else {
    const body = image.blobs.get(last);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.statusCode = body ? (from > 0 ? 206 : 200) : 404;
    if (body) response.setHeader('content-length', body.length - from);
    response.end(body?.subarray(from));
  }
}
