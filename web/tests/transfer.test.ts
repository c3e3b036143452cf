import { describe, expect, it } from 'vitest';
import { newConversation, type Message } from '../src/conversation/model';
import { exportJson, exportMarkdown, importJson } from '../src/conversation/transfer';
import { append, choose, makeThread, shownPath, type Thread } from '../src/conversation/tree';

const message = (id: string, parent: string | null, fields: Partial<Message> = {}): Message => ({ id, parent, role: 'user', conversation: 'c', created: 1, content: id, ...fields });

function sample(): Thread {
  let at = makeThread({ ...newConversation({ system: 'Be brief.', temperature: 0, effort: 'low' }), title: 'Tea', named: true });
  at = append(at, message('q', null, { attachments: [{ name: 'n.txt', text: '```\n' }] }));
  at = append(at, message('a', 'q', { role: 'assistant', content: 'one', reasoning: 'hm', reasoningMs: 12_300, model: 'rill', state: 'done', toolCalls: [{ id: 't', name: 'f', arguments: '{}' }] }));
  at = append(at, message('r', 'a', { role: 'tool', content: '{"x":1}', toolCallId: 't' }));
  at = append(at, message('b', 'q', { role: 'assistant', content: 'two', state: 'stopped', completionTokens: 5, tokensPerSecond: 3.5 }));
  return choose(at, 'a');
}
const withoutIds = (at: Thread) => [...at.messages.values()].map(({ id: _, parent: __, conversation: ___, ...rest }) => rest);

describe('export and import', () => {
  it('is the same conversation under new ids', () => {
    const before = sample();
    const [after] = importJson(exportJson([before]));
    expect(withoutIds(after!)).toEqual(withoutIds(before));
    expect(shownPath(after!).map(({ content }) => content)).toEqual(['q', 'one', '{"x":1}']);
    expect(after!.conversation).toMatchObject({ title: 'Tea', named: true, settings: before.conversation.settings });
    expect(after!.conversation.id).not.toBe(before.conversation.id);
    expect([...after!.messages.keys()].some((id) => before.messages.has(id))).toBe(false);
    for (const { conversation } of after!.messages.values()) expect(conversation).toBe(after!.conversation.id);
  });

  it('writes the shown branch as Markdown', () => {
    const text = exportMarkdown(sample());
    expect(text).toContain('# Tea\n\n## System\n\nBe brief.');
    expect(text).toContain('<summary>Thought for 12 s</summary>');
    expect(text).toContain('````n.txt\n```\n````');
    expect(text).toContain('Calls `f`:');
    expect(text).not.toContain('two');
  });

  const change = (edit: (file: any) => void): string => {
    const file = JSON.parse(exportJson([sample()]));
    edit(file);
    return JSON.stringify(file);
  };
  it.each([
    ['not JSON', () => '{', /not JSON/],
    ['another format', () => '{"format":"x"}', /format/],
    ['a later version', () => change((file) => (file.version = 2)), /version 2/],
    ['no list', () => change((file) => (file.conversations = {})), /expected a list/],
    ['a title that is none', () => change((file) => (file.conversations[0].title = 7)), /title: expected text/],
    ['an unknown role', () => change((file) => (file.conversations[0].messages[0].role = 'root')), /role/],
    ['a parent that is missing', () => change((file) => (file.conversations[0].messages[1].parent = 'zz')), /parent/],
    ['a circle', () => change((file) => (file.conversations[0].messages[0].parent = 'r')), /circle/],
    ['an id twice', () => change((file) => (file.conversations[0].messages[1].id = 'q')), /twice/],
    ['content that is no text', () => change((file) => (file.conversations[0].messages[0].content = { a: 1 })), /content: expected text/],
    ['attachments that are none', () => change((file) => (file.conversations[0].messages[0].attachments = [1])), /attachment/],
  ])('refuses %s', (_, make, sentence) => {
    expect(() => importJson(make())).toThrow(sentence);
  });

  it('takes over no field it does not know', () => {
    const [at] = importJson(change((file) => (file.conversations[0].messages[0].__proto__x = 1)));
    expect(JSON.stringify(withoutIds(at!))).not.toContain('proto');
  });

  it('marks answers that were cut off', () => {
    const [at] = importJson(change((file) => (file.conversations[0].messages[3].state = 'streaming')));
    expect([...at!.messages.values()].at(-1)!.state).toBe('interrupted');
  });
});
