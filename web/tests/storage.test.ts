import { afterEach, describe, expect, it } from 'vitest';
import { newConversation, type Message } from '../src/conversation/model';
import { Storage } from '../src/conversation/storage';

const message = (id: string, conversation: string, content: string): Message => ({ id, conversation, parent: null, created: 1, role: 'user', content });

describe('the storage', () => {
  let storage: Storage;
  let number = 0;
  afterEach(() => storage.close());

  it('keeps, searches and removes conversations', async () => {
    storage = await Storage.open(`test ${number++}`);
    const a = newConversation();
    const b = newConversation();
    await storage.save(a, [message('1', a.id, 'Green tea'), message('2', a.id, 'and Coffee')]);
    await storage.save(b, [message('3', b.id, 'Black tea')]);
    expect(await storage.conversations()).toHaveLength(2);
    expect((await storage.messages(a.id)).map(({ id }) => id)).toEqual(['1', '2']);
    expect(await storage.search(['tea'])).toEqual(new Set([a.id, b.id]));
    expect(await storage.search(['tea', 'black'])).toEqual(new Set([b.id]));
    await storage.saveMessage(message('3', b.id, 'Water'));
    expect(await storage.search(['water'])).toEqual(new Set([b.id]));
    await storage.remove(a.id);
    expect(await storage.messages(a.id)).toEqual([]);
    expect((await storage.conversations()).map(({ id }) => id)).toEqual([b.id]);
    expect(await storage.messages(b.id)).toHaveLength(1);
  });
});
