import { describe, expect, it } from 'vitest';
import { newConversation, titleFrom, type Message } from '../src/conversation/model';
import { append, choose, makeThread, pathTo, replace, shownPath, siblings, type Thread } from '../src/conversation/tree';

const message = (id: string, parent: string | null, role: Message['role'] = 'user'): Message => ({ id, parent, role, conversation: 'c', created: 0, content: id });
const build = (...entries: [string, string | null][]): Thread => entries.reduce((at, [id, parent]) => append(at, message(id, parent)), makeThread(newConversation()));
const shown = (at: Thread) => shownPath(at).map(({ id }) => id).join(' ');

describe('the tree of messages', () => {
  it('shows what was appended last', () => {
    expect(shown(build(['q1', null], ['a1', 'q1'], ['q2', 'a1'], ['a2', 'q2']))).toBe('q1 a1 q2 a2');
  });

  it('branches at an edit and at a new answer, and comes back', () => {
    const first = build(['q1', null], ['a1', 'q1'], ['q2', 'a1'], ['a2', 'q2']);
    const edited = append(append(first, message('q2b', 'a1')), message('a2b', 'q2b'));
    expect(shown(edited)).toBe('q1 a1 q2b a2b');
    expect(siblings(edited, 'q2b').map(({ id }) => id)).toEqual(['q2', 'q2b']);
    const again = append(edited, message('a2c', 'q2b'));
    expect(shown(again)).toBe('q1 a1 q2b a2c');
    expect(shown(choose(again, 'q2'))).toBe('q1 a1 q2 a2');
    expect(shown(choose(choose(again, 'q2'), 'q2b'))).toBe('q1 a1 q2b a2c');
    expect(shown(choose(choose(again, 'q2'), 'a2b'))).toBe('q1 a1 q2b a2b');
  });

  it('can begin in several ways', () => {
    const at = build(['q1', null], ['a1', 'q1'], ['q1b', null]);
    expect(shown(at)).toBe('q1b');
    expect(shown(choose(at, 'q1'))).toBe('q1 a1');
  });

  it('orders siblings by when they were added, even within a millisecond or with a clock that goes back', () => {
    const at = build(['z', null], ['y', null], ['x', null]);
    expect(siblings(at, 'z').map(({ id }) => id)).toEqual(['z', 'y', 'x']);
  });

  it('is a value: nothing changes in place', () => {
    const before = build(['q1', null]);
    const after = replace(append(before, message('a1', 'q1')), { ...message('a1', 'q1'), content: 'new' });
    expect(before.messages.size).toBe(1);
    expect(after.messages.get('a1')?.content).toBe('new');
    expect(after.messages.get('q1')).toBe(before.messages.get('q1'));
  });

  it('refuses a parent that is not there, and an id twice', () => {
    expect(() => build(['a', 'nobody'])).toThrow(/nobody/);
    expect(() => build(['a', null], ['a', null])).toThrow(/already/);
  });

  it('ends, whatever was stored', () => {
    const circle = makeThread(newConversation(), [{ ...message('a', 'b') }, { ...message('b', 'a') }]);
    expect(shownPath(circle)).toEqual([]);
    expect(pathTo(circle, 'a').length).toBeLessThanOrEqual(3);
    const unknownChoice = makeThread({ ...newConversation(), choice: { root: 'gone' } }, [message('a', null)]);
    expect(shown(unknownChoice)).toBe('a');
  });
});

describe('titles', () => {
  it('are the first line, cut at a word', () => {
    expect(titleFrom('  Hello\nworld')).toBe('Hello');
    expect(titleFrom('word '.repeat(30))).toMatch(/^(word )+word…$/);
    expect(titleFrom('', [{ name: 'a.txt', text: '' }])).toBe('a.txt');
    expect(titleFrom('x'.repeat(100))).toHaveLength(61);
  });
});
