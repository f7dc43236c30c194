/** Bounds on what clients send, in time and size. Milliseconds and bytes. */

export interface ApiLimits {
  /** Of a TLS handshake, counted from the connection. */
  handshakeMs: number;
  /** Of a request's head, counted from its first byte, or from the connection. */
  headersMs: number;
  /** Of a connection without a request. */
  keepAliveMs: number;
  /** How often the two limits above are checked. */
  checkIntervalMs: number;
  headerBytes: number;
  headerCount: number;
  /** Of a complete JSON body. */
  bodyMs: number;
  /** Of an archive: without a byte while the daemon is reading. */
  uploadIdleMs: number;
  /** Open connections per listener. */
  tcpConnections: number;
  unixConnections: number;
}

export const defaultLimits: Readonly<ApiLimits> = {
  handshakeMs: 10_000,
  headersMs: 20_000,
  keepAliveMs: 60_000,
  checkIntervalMs: 5_000,
  /** X-Registry-Config holds the credentials of all registries of a user. */
  headerBytes: 256 * 1024,
  headerCount: 2_000,
  /** JSON bodies are small; a client that takes longer has stopped sending. */
  bodyMs: 30_000,
  uploadIdleMs: 600_000,
  /** Any host may connect over TCP: unauthenticated clients must not exhaust the file descriptors. */
  tcpConnections: 1_024,
  /** Every `logs -f`, attach and exec needs one. */
  unixConnections: 16_384,
};
