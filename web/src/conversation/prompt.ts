import type { Attachment, Message, Settings } from './model';

export interface ApiMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  reasoning_content?: string;
  tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** A fence that nothing in the text can close. */
export function fenceFor(text: string): string {
  const longest = (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0);
  return '`'.repeat(Math.max(3, longest + 1));
}

export function attachmentBlock({ name, text }: Attachment): string {
  const fence = fenceFor(text);
  const label = name.replace(/[`\p{Cc}]/gu, ' ').trim();
  return `${fence}${label}\n${text}${text.endsWith('\n') ? '' : '\n'}${fence}`;
}

export function userText(message: Pick<Message, 'content' | 'attachments'>): string {
  return [...(message.attachments ?? []).map(attachmentBlock), message.content].filter((part) => part !== '').join('\n\n');
}

/** The request's messages. Thinking is sent back only for answers that called tools since the last user message. */
export function apiMessages(path: Message[], settings: Settings): ApiMessage[] {
  const lastUser = path.findLastIndex((message) => message.role === 'user');
  const messages: ApiMessage[] = [];
  if (settings.system?.trim()) messages.push({ role: 'system', content: settings.system });
  path.forEach((message, at) => {
    if (message.role === 'user') messages.push({ role: 'user', content: userText(message) });
    else if (message.role === 'tool') messages.push({ role: 'tool', content: message.content, tool_call_id: message.toolCallId ?? '' });
    else messages.push(assistantMessage(message, at > lastUser));
  });
  return messages;
}

function assistantMessage(message: Message, current: boolean): ApiMessage {
  const out: ApiMessage = { role: 'assistant', content: message.content };
  if (message.toolCalls?.length) {
    out.tool_calls = message.toolCalls.map(({ id, name, arguments: args }) => ({ id, type: 'function', function: { name, arguments: args } }));
    if (current && message.reasoning) out.reasoning_content = message.reasoning;
  }
  return out;
}

/** Reads the tools setting; throws a sentence for the user. */
export function parseTools(text: string | undefined): unknown[] | undefined {
  if (!text?.trim()) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`The tools are not valid JSON: ${(error as Error).message}`);
  }
  const isTool = (tool: unknown): boolean =>
    typeof tool === 'object' && tool !== null && typeof (tool as { function?: { name?: unknown } }).function?.name === 'string';
  if (!Array.isArray(value) || !value.every(isTool)) {
    throw new Error('Tools must be a list like [{"type": "function", "function": {"name": …, "parameters": …}}].');
  }
  return value.length > 0 ? value : undefined;
}

export function requestBody(path: Message[], settings: Settings, model: string): Record<string, unknown> {
  const { temperature, top_p, top_k, min_p, max_tokens, seed, effort } = settings;
  const tools = parseTools(settings.tools);
  return Object.fromEntries(
    Object.entries({
      model: settings.model ?? model,
      messages: apiMessages(path, settings),
      stream: true,
      stream_options: { include_usage: true },
      temperature,
      top_p,
      top_k,
      min_p,
      max_tokens,
      seed,
      reasoning_effort: effort,
      tools,
    }).filter(([, value]) => value !== undefined),
  );
}
