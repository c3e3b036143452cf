// A conversation is a tree of messages: each edit or new answer is a sibling, and `choice` says which child is shown.

export type Role = 'user' | 'assistant' | 'tool';

/** `interrupted`: the page went away, or the connection did, while the answer was coming. */
export type MessageState = 'streaming' | 'done' | 'stopped' | 'length' | 'interrupted' | 'error';

export interface Attachment {
  name: string;
  text: string;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON as the model wrote it; it need not be valid. */
  arguments: string;
}

export interface Message {
  id: string;
  conversation: string;
  parent: string | null;
  /** Milliseconds since 1970, unique within a conversation: siblings are ordered by it. */
  created: number;
  role: Role;
  content: string;
  attachments?: Attachment[];
  state?: MessageState;
  error?: string;
  model?: string;
  reasoning?: string;
  reasoningMs?: number;
  toolCalls?: ToolCall[];
  toolCallId?: string;
  promptTokens?: number;
  completionTokens?: number;
  tokensPerSecond?: number;
}

export const efforts = ['none', 'low', 'medium', 'high'] as const;
export type Effort = (typeof efforts)[number];

/** What is not set is left to the server, which knows what the model recommends. */
export interface Settings {
  system?: string;
  model?: string;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  max_tokens?: number;
  seed?: number;
  effort?: Effort;
  /** OpenAI's list of tools, as JSON text. */
  tools?: string;
}

export interface Conversation {
  id: string;
  title: string;
  /** Named by the user, so a first message no longer names it. */
  named: boolean;
  created: number;
  updated: number;
  settings: Settings;
  /** The child that is shown, by the parent's id; `root` for the first message. */
  choice: Record<string, string>;
}

/** Random and unguessable. `crypto.randomUUID` is missing where the page is not served from localhost or by HTTPS. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const untitled = 'New conversation';

export function newConversation(settings: Settings = {}, now = Date.now()): Conversation {
  return { id: newId(), title: untitled, named: false, created: now, updated: now, settings, choice: {} };
}

/** The first line of the first message, cut at a word. */
export function titleFrom(text: string, attachments: Attachment[] = []): string {
  const line = text.trim().split('\n')[0]?.replace(/\s+/g, ' ').trim() || attachments[0]?.name || untitled;
  if (line.length <= 60) return line;
  const cut = line.slice(0, 60);
  const space = cut.lastIndexOf(' ');
  return `${space > 30 ? cut.slice(0, space) : cut}…`;
}
