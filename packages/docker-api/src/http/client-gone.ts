/**
 * Records that a request's client has disconnected or has its response. The AbortSignal that handlers wait with is made
 * when one asks for it: most requests need none, and ending one creates an exception with a stack trace.
 */
export class ClientGone {
  #isGone = false;
  #controller: AbortController | undefined;

  get isGone(): boolean {
    return this.#isGone;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isGone) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  note(): void {
    this.#isGone = true;
    this.#controller?.abort();
  }
}
