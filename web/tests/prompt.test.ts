import { describe, expect, it } from 'vitest';
import { fileLimit, readAttachments } from '../src/conversation/attachments';
import type { Message } from '../src/conversation/model';
import { apiMessages, attachmentBlock, parseTools, requestBody } from '../src/conversation/prompt';

const message = (fields: Partial<Message>): Message => ({ id: 'x', conversation: 'c', parent: null, created: 0, role: 'user', content: '', ...fields });

describe('the request', () => {
  it('puts files into fences that their text cannot close', () => {
    expect(attachmentBlock({ name: 'a.md', text: 'x\n```\ny' })).toBe('````a.md\nx\n```\ny\n````');
    expect(attachmentBlock({ name: 'a`\nb', text: '' })).toBe('```a  b\n\n```');
    const [sent] = apiMessages([message({ content: 'See.', attachments: [{ name: 'n.txt', text: 'one\n' }] })], {});
    expect(sent?.content).toBe('```n.txt\none\n```\n\nSee.');
  });

  it('sends thinking back only with tool calls since the last user message', () => {
    const call = { id: '1', name: 'f', arguments: '{}' };
    const old = message({ role: 'assistant', content: 'a', reasoning: 'secret', toolCalls: [call] });
    const path = [message({ content: 'q' }), old, message({ content: 'q2' }), { ...old, reasoning: 'now' }, message({ role: 'tool', content: 'r', toolCallId: '1' })];
    const sent = apiMessages(path, { system: 'Be brief.' });
    expect(sent.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant', 'tool']);
    expect(sent[2]).not.toHaveProperty('reasoning_content');
    expect(sent[4]).toMatchObject({ reasoning_content: 'now', tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }] });
    expect(sent[5]).toEqual({ role: 'tool', content: 'r', tool_call_id: '1' });
  });

  it('leaves out what is not set, and keeps zeros', () => {
    const body = requestBody([message({ content: 'q' })], { temperature: 0, seed: 7, effort: 'low' }, 'rill');
    expect(body).toMatchObject({ model: 'rill', stream: true, stream_options: { include_usage: true }, temperature: 0, seed: 7, reasoning_effort: 'low' });
    for (const name of ['top_p', 'top_k', 'min_p', 'max_tokens', 'tools']) expect(body).not.toHaveProperty(name);
  });

  it('reads tools, and says what is wrong with them', () => {
    expect(parseTools(' ')).toBeUndefined();
    expect(parseTools('[]')).toBeUndefined();
    expect(parseTools('[{"type":"function","function":{"name":"f"}}]')).toHaveLength(1);
    expect(() => parseTools('{')).toThrow(/not valid JSON/);
    expect(() => parseTools('[{"name":"f"}]')).toThrow(/function/);
  });
});

describe('attached files', () => {
  it('are text, and not too large', async () => {
    const { added, problems } = await readAttachments(
      [
        new File(['a\r\nb'], 'a.txt'),
        new File([Uint8Array.of(0xff, 0xfe, 0)], 'b.bin'),
        new File(['x\0y'], 'c.bin'),
        new File(['x'.repeat(fileLimit + 1)], 'd.txt'),
      ],
      [],
    );
    expect(added).toEqual([{ name: 'a.txt', text: 'a\nb' }]);
    expect(problems).toHaveLength(3);
    expect(problems[2]).toMatch(/d\.txt has 524 kB/);
  });

  it('are limited together', async () => {
    const big = { name: 'big', text: 'x'.repeat(2 * 1024 * 1024 - 1) };
    expect((await readAttachments([new File(['ab'], 'a.txt')], [big])).problems).toHaveLength(1);
  });
});
