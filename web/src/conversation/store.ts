// The conversations the page knows, which one is shown, and everything a user does to them.

import { batch, computed, signal } from '@preact/signals';
import { newConversation, newId, titleFrom, type Attachment, type Conversation, type Message, type Settings } from './model';
import { Storage } from './storage';
import { defaultSettings } from './defaults';
import { append, choose, makeThread, replace, shownPath, withConversation, type Thread } from './tree';
import { exportJson, exportMarkdown, importJson } from './transfer';

/** All conversations, the last changed first. */
export const conversations = signal<Conversation[]>([]);
/** Those that were opened, or are being answered. */
const threads = signal<ReadonlyMap<string, Thread>>(new Map());
export const currentId = signal<string | null>(null);
/** A conversation that has no message yet is not kept. */
export const draft = signal<Thread>(makeThread(newConversation(defaultSettings())));
export const current = computed<Thread>(() => (currentId.value === null ? draft.value : threads.value.get(currentId.value)) ?? draft.value);
export const path = computed<Message[]>(() => shownPath(current.value));
/** A sentence if conversations cannot be kept. */
export const storageProblem = signal<string | null>(null);

let storage: Storage | null = null;
const others = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('sluice');

export async function openStore(): Promise<void> {
  try {
    storage = await Storage.open();
    await readConversations();
  } catch (error) {
    storageProblem.value = `This browser does not keep conversations (${(error as Error).message}). They last until the page is closed.`;
  }
  if (others) others.onmessage = () => void readConversations().catch(() => undefined);
}

async function readConversations(): Promise<void> {
  if (storage === null) return;
  const found = await storage.conversations();
  conversations.value = found.sort((a, b) => b.updated - a.updated);
}

function kept(work: Promise<unknown> | undefined): void {
  work?.then(
    () => others?.postMessage('changed'),
    (error: unknown) => {
      storageProblem.value = `The browser could not keep the conversation: ${(error as Error).message}. Export it before you close the page.`;
    },
  );
}

export function thread(id: string): Thread | undefined {
  return threads.value.get(id);
}

function setThread(next: Thread): void {
  const map = new Map(threads.value);
  map.set(next.conversation.id, next);
  threads.value = map;
}

function listConversation(conversation: Conversation): void {
  conversations.value = [conversation, ...conversations.value.filter(({ id }) => id !== conversation.id)].sort((a, b) => b.updated - a.updated);
}

export async function openConversation(id: string): Promise<boolean> {
  const known = conversations.value.find((conversation) => conversation.id === id);
  if (known === undefined) return false;
  if (!threads.value.has(id)) {
    const messages = (await storage?.messages(id)) ?? [];
    if (threads.value.has(id)) return true;
    // An answer that was coming when the page went away has what was received until then.
    for (const message of messages) if (message.state === 'streaming') message.state = 'interrupted';
    setThread(makeThread(known, messages));
  }
  return true;
}

export function startDraft(): void {
  draft.value = makeThread(newConversation(defaultSettings()));
}

/** Adds messages to a conversation, each the child of the one before, and shows the last. */
export function addMessages(id: string, parent: string | null, messages: Omit<Message, 'id' | 'conversation' | 'parent' | 'created'>[]): Message[] {
  let at = thread(id) ?? draft.value;
  const added: Message[] = [];
  let above = parent;
  for (const fields of messages) {
    const message: Message = { ...fields, id: newId(), conversation: at.conversation.id, parent: above, created: Date.now() };
    at = append(at, message);
    above = message.id;
    added.push(at.messages.get(message.id)!);
  }
  at = withConversation(at, { updated: Date.now() });
  const first = added[0];
  if (parent === null && !at.conversation.named && first?.role === 'user') {
    at = withConversation(at, { title: titleFrom(first.content, first.attachments) });
  }
  batch(() => {
    setThread(at);
    listConversation(at.conversation);
  });
  kept(storage?.save(at.conversation, added));
  return added;
}

/** Shows a new state of a message; `keep` writes it down as well. */
export function updateMessage(message: Message, keep: boolean): void {
  const at = thread(message.conversation);
  if (at === undefined) return;
  setThread(replace(at, message));
  if (keep) void storage?.saveMessage(message).catch(() => undefined);
}

function updateConversation(id: string, change: Partial<Conversation>): void {
  const at = thread(id);
  const known = at?.conversation ?? conversations.value.find((conversation) => conversation.id === id);
  if (known === undefined) return;
  const next = { ...known, ...change };
  batch(() => {
    if (at) setThread({ ...at, conversation: next });
    listConversation(next);
  });
  kept(storage?.save(next));
}

export function showBranch(id: string, message: string): void {
  const at = thread(id);
  if (at) updateConversation(id, { choice: choose(at, message).conversation.choice });
}

export function updateSettings(settings: Settings): void {
  if (currentId.value === null) draft.value = withConversation(draft.value, { settings });
  else updateConversation(currentId.value, { settings });
}

export const rename = (id: string, title: string): void => {
  if (title.trim()) updateConversation(id, { title: title.trim().slice(0, 200), named: true });
};

export function removeConversation(id: string): void {
  batch(() => {
    const map = new Map(threads.value);
    map.delete(id);
    threads.value = map;
    conversations.value = conversations.value.filter((conversation) => conversation.id !== id);
  });
  kept(storage?.remove(id));
}

/** Conversations whose title or messages contain all the words. */
export async function search(query: string): Promise<Set<string>> {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (text: string): boolean => words.every((word) => text.toLowerCase().includes(word));
  const found = (await storage?.search(words)) ?? new Set<string>();
  for (const { id, title } of conversations.value) if (matches(title)) found.add(id);
  for (const { conversation, messages } of threads.value.values()) {
    for (const message of messages.values()) if (matches(message.content)) found.add(conversation.id);
  }
  return found;
}

async function wholeThread(id: string): Promise<Thread | undefined> {
  await openConversation(id);
  return thread(id);
}

export async function exportConversations(ids: string[]): Promise<string> {
  const whole = await Promise.all(ids.map(wholeThread));
  return exportJson(whole.filter((at): at is Thread => at !== undefined));
}

export async function exportAsMarkdown(id: string): Promise<string> {
  const at = await wholeThread(id);
  return at ? exportMarkdown(at) : '';
}

/** Returns the id of the first imported conversation. */
export async function importConversations(text: string): Promise<string | null> {
  const imported = importJson(text);
  for (const at of imported) {
    await storage?.save(at.conversation, [...at.messages.values()]);
    batch(() => {
      setThread(at);
      listConversation(at.conversation);
    });
  }
  others?.postMessage('changed');
  return imported[0]?.conversation.id ?? null;
}

export type NewUserMessage = { content: string; attachments?: Attachment[] };
