import { describe, expect, it } from 'vitest';
import { readEvents, SseParser } from '../src/api/sse';

const all = (...pieces: string[]) => {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

describe('server-sent events', () => {
  it('reads events, joins lines of data, takes one space off', () => {
    expect(all('data: {"a":1}\n\ndata:x\ndata:  y\n\n')).toEqual([
      { event: 'message', data: '{"a":1}' },
      { event: 'message', data: 'x\n y' },
    ]);
  });

  it('names events, skips comments, unknown fields and empty events', () => {
    expect(all(': keep-alive\n\nid: 7\nevent: tick\nretry: 5\ndata\n\nevent: none\n\ndata: z\n\n')).toEqual([
      { event: 'tick', data: '' },
      { event: 'message', data: 'z' },
    ]);
  });

  it('gives the same events wherever the stream is cut, with every line end', () => {
    const text = '\ufeff: hi\r\ndata: one\r\n\r\ndata: two\rdata: three\r\rdata: vier ü 🌊\n\n';
    const expected = ['one', 'two\nthree', 'vier ü 🌊'];
    expect(all(text).map(({ data }) => data)).toEqual(expected);
    for (let cut = 0; cut <= text.length; cut++) {
      expect(all(text.slice(0, cut), text.slice(cut)).map(({ data }) => data), `cut at ${cut}`).toEqual(expected);
    }
    expect(all(...text).map(({ data }) => data)).toEqual(expected);
  });

  it('drops an event that is not ended', () => {
    expect(all('data: a\n\ndata: cut off\n')).toEqual([{ event: 'message', data: 'a' }]);
  });

  it('refuses an event without an end, but not a long stream of comments', () => {
    const parser = new SseParser(1000);
    for (let i = 0; i < 100; i++) parser.push(`: ${'x'.repeat(100)}\n`);
    expect(() => {
      for (let i = 0; i < 100; i++) parser.push('x'.repeat(100));
    }).toThrow(/1000/);
  });

  it('decodes characters that are cut between pieces of the body', async () => {
    const bytes = new TextEncoder().encode('data: 🌊é\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const events = [];
    for await (const event of readEvents(body)) events.push(event.data);
    expect(events).toEqual(['🌊é']);
  });
});
