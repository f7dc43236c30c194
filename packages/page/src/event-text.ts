/** Parses a stream of server-sent events (HTML standard, section 9.2.6), as far as the daemon sends them. Pure. */

export interface StreamEvent {
  event: string;
  data: string;
}

/** Text arrives in any pieces. Returns the events that each piece completes. */
export class EventParser {
  #rest = '';

  push(piece: string): StreamEvent[] {
    const blocks = (this.#rest + piece).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const fields = new Map(
        block.split('\n').map((line): [string, string] => {
          const colon = line.indexOf(': ');
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      );
      const [event, data] = [fields.get('event'), fields.get('data')];
      return event === undefined || data === undefined ? [] : [{ event, data }];
    });
  }
}
