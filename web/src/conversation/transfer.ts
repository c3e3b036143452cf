// Conversations as files. What is imported is as untrusted as anything else from outside: every field is checked, ids are new.

import { efforts, newId, type Attachment, type Conversation, type Message, type Settings, type ToolCall } from './model';
import { attachmentBlock, fenceFor } from './prompt';
import { makeThread, shownPath, type Thread } from './tree';
import { thoughtFor } from '../ui/units';

const format = 'sluice-conversations';
const version = 1;
export const importLimit = 64 * 1024 * 1024;

export function exportJson(threads: Thread[]): string {
  const conversations = threads.map(({ conversation, messages }) => ({
    ...conversation,
    messages: [...messages.values()].sort((a, b) => a.created - b.created).map(({ conversation: _, ...message }) => message),
  }));
  return `${JSON.stringify({ format, version, conversations }, null, 2)}\n`;
}

/** The branch that is shown. */
export function exportMarkdown(thread: Thread): string {
  const { title, settings } = thread.conversation;
  const parts = [`# ${title.replace(/\s+/g, ' ')}`];
  if (settings.system?.trim()) parts.push('## System', settings.system);
  for (const message of shownPath(thread)) parts.push(...markdownOf(message));
  return `${parts.join('\n\n')}\n`;
}

function markdownOf(message: Message): string[] {
  const heading = { user: '## User', assistant: `## Assistant${message.model ? ` (${message.model})` : ''}`, tool: '## Tool result' }[message.role];
  const parts = [heading];
  if (message.reasoning) {
    const summary = `Thought for ${thoughtFor(message.reasoningMs ?? 0)}`;
    parts.push(`<details><summary>${summary}</summary>`, message.reasoning.trim(), '</details>');
  }
  parts.push(...(message.attachments ?? []).map(attachmentBlock));
  if (message.role === 'tool') parts.push(fenced('', message.content));
  else if (message.content) parts.push(message.content);
  for (const call of message.toolCalls ?? []) parts.push(`Calls \`${call.name}\`:`, fenced('json', call.arguments));
  return parts;
}

function fenced(language: string, text: string): string {
  const fence = fenceFor(text);
  return `${fence}${language}\n${text}\n${fence}`;
}

export function importJson(text: string): Thread[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON; expected one that this page exported.');
  }
  const file = record(value, 'the file');
  if (file['format'] !== format) throw new Error(`The file's format is ${JSON.stringify(file['format'])}; expected "${format}".`);
  if (file['version'] !== version) throw new Error(`The file has version ${JSON.stringify(file['version'])}; this page reads version ${version}.`);
  return list(file['conversations'], 'conversations').map((entry, at) => readConversation(entry, `conversation ${at + 1}`));
}

type Fields = Record<string, unknown>;

function readConversation(value: unknown, where: string): Thread {
  const fields = record(value, where);
  const id = newId();
  const entries = list(fields['messages'], `${where}: messages`).map((entry, at) => record(entry, `${where}, message ${at + 1}`));
  const ids = new Map<string, string>();
  entries.forEach((entry, at) => {
    const old = string(entry['id'], `${where}, message ${at + 1}: id`);
    if (ids.has(old)) throw new Error(`${where}, message ${at + 1}: the id is used twice.`);
    ids.set(old, newId());
  });
  const messages = entries.map((entry, at) => readMessage(entry, id, ids, `${where}, message ${at + 1}`));
  refuseCycles(messages, where);
  const conversation: Conversation = {
    id,
    title: string(fields['title'], `${where}: title`).slice(0, 200),
    named: fields['named'] === true,
    created: number(fields['created'], `${where}: created`),
    updated: number(fields['updated'], `${where}: updated`),
    settings: readSettings(fields['settings'] ?? {}, `${where}: settings`),
    choice: readChoice(fields['choice'] ?? {}, ids, `${where}: choice`),
  };
  return makeThread(conversation, messages);
}

function readMessage(fields: Fields, conversation: string, ids: Map<string, string>, where: string): Message {
  const role = fields['role'];
  if (role !== 'user' && role !== 'assistant' && role !== 'tool') throw new Error(`${where}: the role is ${JSON.stringify(role)}; expected user, assistant or tool.`);
  const parent = fields['parent'] ?? null;
  const newParent = parent === null ? null : ids.get(string(parent, `${where}: parent`));
  if (newParent === undefined) throw new Error(`${where}: its parent is not in the file.`);
  const message: Message = {
    id: ids.get(fields['id'] as string)!,
    conversation,
    parent: newParent,
    created: number(fields['created'], `${where}: created`),
    role,
    content: string(fields['content'], `${where}: content`),
  };
  for (const name of ['error', 'model', 'reasoning', 'toolCallId'] as const) {
    if (fields[name] !== undefined) message[name] = string(fields[name], `${where}: ${name}`);
  }
  for (const name of ['reasoningMs', 'promptTokens', 'completionTokens', 'tokensPerSecond'] as const) {
    if (fields[name] !== undefined) message[name] = number(fields[name], `${where}: ${name}`);
  }
  if (fields['attachments'] !== undefined) message.attachments = list(fields['attachments'], `${where}: attachments`).map((entry) => readAttachment(entry, where));
  if (fields['toolCalls'] !== undefined) message.toolCalls = list(fields['toolCalls'], `${where}: toolCalls`).map((entry) => readToolCall(entry, where));
  const state = fields['state'];
  if (state === 'streaming') message.state = 'interrupted';
  else if (state === 'done' || state === 'stopped' || state === 'length' || state === 'interrupted' || state === 'error') message.state = state;
  return message;
}

function readAttachment(value: unknown, where: string): Attachment {
  const fields = record(value, `${where}: attachment`);
  return { name: string(fields['name'], `${where}: attachment's name`), text: string(fields['text'], `${where}: attachment's text`) };
}

function readToolCall(value: unknown, where: string): ToolCall {
  const fields = record(value, `${where}: tool call`);
  const of = (name: string): string => string(fields[name], `${where}: tool call's ${name}`);
  return { id: of('id'), name: of('name'), arguments: of('arguments') };
}

export function readSettings(value: unknown, where: string): Settings {
  const fields = record(value, where);
  const settings: Settings = {};
  for (const name of ['system', 'model', 'tools'] as const) if (fields[name] !== undefined) settings[name] = string(fields[name], `${where}: ${name}`);
  for (const name of ['temperature', 'top_p', 'top_k', 'min_p', 'max_tokens', 'seed'] as const) {
    if (fields[name] !== undefined) settings[name] = number(fields[name], `${where}: ${name}`);
  }
  const effort = efforts.find((known) => known === fields['effort']);
  if (effort) settings.effort = effort;
  return settings;
}

function readChoice(value: unknown, ids: Map<string, string>, where: string): Record<string, string> {
  const choice: Record<string, string> = {};
  for (const [parent, child] of Object.entries(record(value, where))) {
    const key = parent === 'root' ? 'root' : ids.get(parent);
    const chosen = ids.get(String(child));
    if (key !== undefined && chosen !== undefined) choice[key] = chosen;
  }
  return choice;
}

/** Every message must lead back to a first one. */
function refuseCycles(messages: Message[], where: string): void {
  const parents = new Map(messages.map(({ id, parent }) => [id, parent]));
  const rooted = new Set<string>();
  for (const { id } of messages) {
    const trail = new Set<string>();
    for (let at: string | null = id; at !== null && !rooted.has(at); at = parents.get(at) ?? null) {
      if (trail.has(at)) throw new Error(`${where}: its messages follow each other in a circle.`);
      trail.add(at);
    }
    for (const seen of trail) rooted.add(seen);
  }
}

function record(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${where}: expected an object, found ${kind(value)}.`);
  return value as Fields;
}
function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${where}: expected a list, found ${kind(value)}.`);
  return value;
}
function string(value: unknown, where: string): string {
  if (typeof value !== 'string') throw new Error(`${where}: expected text, found ${kind(value)}.`);
  return value;
}
function number(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${where}: expected a number, found ${kind(value)}.`);
  return value;
}
function kind(value: unknown): string {
  return value === null || value === undefined ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value;
}
