import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { Conversation, Message } from './model';

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation };
  messages: { key: string; value: Message; indexes: { conversation: string } };
}

/** Messages lie apart from their conversation, so that a streaming answer writes only itself. */
export class Storage {
  private constructor(private readonly database: IDBPDatabase<Schema>) {}

  static async open(name = 'sluice'): Promise<Storage> {
    const database = await openDB<Schema>(name, 1, {
      upgrade(db) {
        db.createObjectStore('conversations', { keyPath: 'id' });
        db.createObjectStore('messages', { keyPath: 'id' }).createIndex('conversation', 'conversation');
      },
      blocking(_current, _blocked, event) {
        (event.target as IDBDatabase).close();
      },
    });
    return new Storage(database);
  }

  conversations(): Promise<Conversation[]> {
    return this.database.getAll('conversations');
  }

  messages(conversation: string): Promise<Message[]> {
    return this.database.getAllFromIndex('messages', 'conversation', conversation);
  }

  async save(conversation: Conversation, messages: Message[] = []): Promise<void> {
    const transaction = this.database.transaction(['conversations', 'messages'], 'readwrite');
    await Promise.all([
      transaction.objectStore('conversations').put(conversation),
      ...messages.map((message) => transaction.objectStore('messages').put(message)),
      transaction.done,
    ]);
  }

  async saveMessage(message: Message): Promise<void> {
    await this.database.put('messages', message);
  }

  async remove(conversation: string): Promise<void> {
    const transaction = this.database.transaction(['conversations', 'messages'], 'readwrite');
    await transaction.objectStore('conversations').delete(conversation);
    let cursor = await transaction.objectStore('messages').index('conversation').openKeyCursor(conversation);
    while (cursor) {
      await transaction.objectStore('messages').delete(cursor.primaryKey);
      cursor = await cursor.continue();
    }
    await transaction.done;
  }

  /** Conversations with a message that contains all the words. */
  async search(words: string[]): Promise<Set<string>> {
    const found = new Set<string>();
    let cursor = await this.database.transaction('messages').store.openCursor();
    while (cursor) {
      const { conversation, content } = cursor.value;
      if (!found.has(conversation)) {
        const text = content.toLowerCase();
        if (words.every((word) => text.includes(word))) found.add(conversation);
      }
      cursor = await cursor.continue();
    }
    return found;
  }

  close(): void {
    this.database.close();
  }
}
