// Server-sent events from a fetch response. EventSource cannot send a POST or an Authorization header.

export interface ServerSentEvent {
  event: string;
  data: string;
}

/** Follows the event stream format of the HTML standard; pieces may be cut anywhere, inside a line end too. */
export class SseParser {
  #line = '';
  #event = '';
  #data: string[] = [];
  #bytes = 0;
  #afterCr = false;
  #started = false;

  /** @param limit characters an event may have: a server that never ends a line must not fill the memory. */
  constructor(private readonly limit = 32 * 1024 * 1024) {}

  push(piece: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    if (piece === '') return events;
    let start = 0;
    if (!this.#started) {
      this.#started = true;
      if (piece.startsWith('\ufeff')) start = 1;
    }
    if (this.#afterCr && piece[start] === '\n') start++;
    this.#afterCr = false;
    for (;;) {
      const end = lineEnd(piece, start);
      if (end < 0) break;
      this.#take(piece.slice(start, end));
      this.#endLine(events);
      start = end + 1;
      if (piece[end] === '\r') {
        if (start === piece.length) this.#afterCr = true;
        else if (piece[start] === '\n') start++;
      }
    }
    this.#take(piece.slice(start));
    return events;
  }

  #take(text: string): void {
    this.#bytes += text.length;
    if (this.#bytes > this.limit) throw new Error(`The server sent an event of more than ${this.limit} characters.`);
    this.#line += text;
  }

  #endLine(events: ServerSentEvent[]): void {
    const line = this.#line;
    this.#line = '';
    if (line === '') {
      if (this.#data.length > 0) events.push({ event: this.#event || 'message', data: this.#data.join('\n') });
      this.#event = '';
      this.#data = [];
      this.#bytes = 0;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) {
      this.#bytes -= line.length;
      return;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
  }
}

function lineEnd(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || code === 13) return i;
  }
  return -1;
}

export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const parser = new SseParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
