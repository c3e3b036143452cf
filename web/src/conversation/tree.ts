import type { Conversation, Message } from './model';

/** A conversation with its messages. A value: every change makes a new one, so that what did not change is not drawn again. */
export interface Thread {
  readonly conversation: Conversation;
  readonly messages: ReadonlyMap<string, Message>;
}

const rootKey = 'root';
const keyOf = (parent: string | null): string => parent ?? rootKey;

export function makeThread(conversation: Conversation, messages: Iterable<Message> = []): Thread {
  return { conversation, messages: new Map(Array.from(messages, (message) => [message.id, message])) };
}

export function children(thread: Thread, parent: string | null): Message[] {
  const found: Message[] = [];
  for (const message of thread.messages.values()) if (message.parent === parent) found.push(message);
  return found.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
}

function childIndex(thread: Thread): Map<string, Message[]> {
  const index = new Map<string, Message[]>();
  for (const message of thread.messages.values()) {
    const list = index.get(keyOf(message.parent));
    if (list) list.push(message);
    else index.set(keyOf(message.parent), [message]);
  }
  for (const list of index.values()) list.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  return index;
}

/** The messages that are shown, from the first to the last. Where nothing was chosen, the newest child is. */
export function shownPath(thread: Thread): Message[] {
  const index = childIndex(thread);
  const path: Message[] = [];
  let parent: string | null = null;
  while (path.length <= thread.messages.size) {
    const options: Message[] = index.get(keyOf(parent)) ?? [];
    const chosen: string | undefined = thread.conversation.choice[keyOf(parent)];
    const next: Message | undefined = options.find((message) => message.id === chosen) ?? options.at(-1);
    if (next === undefined) break;
    path.push(next);
    parent = next.id;
  }
  return path;
}

/** From the first message to this one, whatever is shown. */
export function pathTo(thread: Thread, id: string | null): Message[] {
  const path: Message[] = [];
  for (let at = id; at !== null && path.length <= thread.messages.size; ) {
    const message = thread.messages.get(at);
    if (message === undefined) break;
    path.unshift(message);
    at = message.parent;
  }
  return path;
}

export function siblings(thread: Thread, id: string): Message[] {
  const message = thread.messages.get(id);
  return message === undefined ? [] : children(thread, message.parent);
}

/** Adds a message and shows it. */
export function append(thread: Thread, message: Message): Thread {
  if (message.parent !== null && !thread.messages.has(message.parent)) {
    throw new Error(`message ${message.id}: its parent ${message.parent} is not in the conversation`);
  }
  if (thread.messages.has(message.id)) throw new Error(`message ${message.id} is in the conversation already`);
  const created = Math.max(message.created, newest(thread) + 1);
  const messages = new Map(thread.messages);
  messages.set(message.id, { ...message, created });
  return choose({ conversation: thread.conversation, messages }, message.id);
}

export function replace(thread: Thread, message: Message): Thread {
  if (!thread.messages.has(message.id)) return thread;
  const messages = new Map(thread.messages);
  messages.set(message.id, message);
  return { conversation: thread.conversation, messages };
}

/** Shows this message: it and all before it are chosen; what follows it stays as it was chosen last. */
export function choose(thread: Thread, id: string): Thread {
  const choice = { ...thread.conversation.choice };
  for (const message of pathTo(thread, id)) choice[keyOf(message.parent)] = message.id;
  return { ...thread, conversation: { ...thread.conversation, choice } };
}

export function withConversation(thread: Thread, change: Partial<Conversation>): Thread {
  return { ...thread, conversation: { ...thread.conversation, ...change } };
}

function newest(thread: Thread): number {
  let time = 0;
  for (const message of thread.messages.values()) time = Math.max(time, message.created);
  return time;
}
