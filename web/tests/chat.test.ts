// @vitest-environment jsdom
import { afterEach, describe, expect, it, vi } from 'vitest';
import { applyChunk, emptyReply, streamChat } from '../src/api/chat';

const delta = (fields: object, finish: string | null = null) => ({ choices: [{ index: 0, delta: fields, finish_reason: finish }] });
const fold = (...chunks: unknown[]) => chunks.reduce(applyChunk, emptyReply());

describe('chunks of an answer', () => {
  it('adds up content, thinking and usage', () => {
    const reply = fold(
      { model: 'rill', ...delta({ role: 'assistant', content: '' }) },
      delta({ reasoning_content: 'hm' }),
      delta({ reasoning_content: 'm' }),
      delta({ content: '4' }),
      delta({ content: '2' }),
      delta({}, 'stop'),
      { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } },
    );
    expect(reply).toMatchObject({ model: 'rill', content: '42', reasoning: 'hmm', finish: 'stop', promptTokens: 9, completionTokens: 4 });
  });

  it('adds up tool calls by index', () => {
    const reply = fold(
      delta({ tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
      delta({ tool_calls: [{ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
    );
    expect(reply.toolCalls).toEqual([
      { id: 'a', name: 'f', arguments: '{"x":1}' },
      { id: 'b', name: 'g', arguments: '{}' },
    ]);
  });

  it('shows progress until the first token', () => {
    const waiting = fold({ choices: [], progress: { processed: 512, total: 4096 } });
    expect(waiting.progress).toEqual({ processed: 512, total: 4096 });
    expect(applyChunk(waiting, delta({ content: 'x' })).progress).toBeNull();
  });

  it('survives chunks of any shape', () => {
    for (const chunk of [null, 1, [], 'x', {}, { choices: 3 }, { choices: [null] }, delta({ content: 7, tool_calls: [null, 1] }), { usage: [] }]) {
      expect(applyChunk(emptyReply(), chunk).content).toBe('');
    }
    expect(fold(delta({ tool_calls: [{ index: 1e9, function: { name: 'f' } }] })).toolCalls).toHaveLength(1);
  });
});

describe('a streamed answer', () => {
  afterEach(() => vi.unstubAllGlobals());
  const answer = async (body: string, status = 200) => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(body, { status })));
    let last = emptyReply();
    for await (const reply of streamChat({}, new AbortController().signal)) last = reply;
    return last;
  };
  const line = (chunk: object) => `data: ${JSON.stringify(chunk)}\n\n`;

  it('ends with [DONE]', async () => {
    expect((await answer(`${line(delta({ content: 'a' }, 'stop'))}data: [DONE]\n\ndata: not read\n\n`)).content).toBe('a');
  });
  it('fails if it breaks off', async () => {
    await expect(answer(line(delta({ content: 'a' })))).rejects.toThrow(/before the answer was complete/);
  });
  it("passes on the server's sentence, before and inside the stream", async () => {
    await expect(answer('{"error": {"message": "Too long."}}', 400)).rejects.toThrow('Too long.');
    await expect(answer(line({ error: { message: 'Drive gone.' } }))).rejects.toThrow('Drive gone.');
    await expect(answer('<html>', 502)).rejects.toThrow(/502/);
    await expect(answer('data: {oops\n\n')).rejects.toThrow(/not JSON/);
  });
});
