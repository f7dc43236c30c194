/** Bounds on what clients send, in time and size. Milliseconds and bytes. */

export interface ApiLimits {
  /** Of a TLS handshake, from the connection's first moment. */
  handshakeMs: number;
  /** Of a request's head, from its first byte, or from the connection's first moment. */
  headersMs: number;
  /** A connection that waits for its next request. */
  keepAliveMs: number;
  /** How often connections are checked for the two above. */
  checkIntervalMs: number;
  headerBytes: number;
  headerCount: number;
  /** Of a JSON body, until its end. */
  bodyMs: number;
  /** Of an archive: without a byte, while the daemon waits for one. */
  uploadIdleMs: number;
  /** Open at once, for each listener. */
  tcpConnections: number;
  unixConnections: number;
}

export const defaultLimits: Readonly<ApiLimits> = {
  handshakeMs: 10_000,
  headersMs: 20_000,
  keepAliveMs: 60_000,
  checkIntervalMs: 5_000,
  /** X-Registry-Config holds the credentials of every registry a user has. */
  headerBytes: 256 * 1024,
  headerCount: 2_000,
  /** A body this small arrives at once; a client that takes longer is not sending it. */
  bodyMs: 30_000,
  uploadIdleMs: 600_000,
  /** Over TCP strangers may connect: before a client is known it must not be able to take all descriptors. */
  tcpConnections: 1_024,
  /** Every `logs -f`, attach and exec is one. */
  unixConnections: 16_384,
};
