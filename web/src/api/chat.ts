import type { ToolCall } from '../conversation/model';
import { ApiError, errorMessage, request } from './client';
import { readEvents } from './sse';

export interface Progress {
  processed?: number;
  total?: number;
  waiting?: number;
}

/** What has come of an answer so far. */
export interface Reply {
  model: string | null;
  content: string;
  reasoning: string;
  toolCalls: ToolCall[];
  finish: string | null;
  progress: Progress | null;
  promptTokens: number | null;
  completionTokens: number | null;
  tokensPerSecond: number | null;
}

export const emptyReply = (): Reply => ({
  model: null,
  content: '',
  reasoning: '',
  toolCalls: [],
  finish: null,
  progress: null,
  promptTokens: null,
  completionTokens: null,
  tokensPerSecond: null,
});

type Json = Record<string, unknown>;
const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const figure = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

/** Adds a chunk of `chat.completion.chunk` to the reply. */
export function applyChunk(reply: Reply, chunk: unknown): Reply {
  const fields = object(chunk);
  const next: Reply = { ...reply, model: text(fields['model']) || reply.model };
  const usage = object(fields['usage']);
  next.promptTokens = figure(usage['prompt_tokens']) ?? reply.promptTokens;
  next.completionTokens = figure(usage['completion_tokens']) ?? reply.completionTokens;
  next.tokensPerSecond = figure(object(fields['timings'])['predicted_per_second']) ?? reply.tokensPerSecond;
  if (fields['progress'] !== undefined) next.progress = readProgress(fields['progress']);
  const choices = fields['choices'];
  const choice = object(Array.isArray(choices) ? choices[0] : undefined);
  const delta = object(choice['delta']);
  next.content += text(delta['content']);
  next.reasoning += text(delta['reasoning_content']) || text(delta['reasoning']);
  if (Array.isArray(delta['tool_calls'])) next.toolCalls = delta['tool_calls'].reduce(addToolCall, reply.toolCalls);
  next.finish = text(choice['finish_reason']) || reply.finish;
  if (next.content || next.reasoning || next.toolCalls.length) next.progress = null;
  return next;
}

function readProgress(value: unknown): Progress {
  const fields = object(value);
  const progress: Progress = {};
  for (const name of ['processed', 'total', 'waiting'] as const) {
    const found = figure(fields[name]);
    if (found !== null) progress[name] = found;
  }
  return progress;
}

/** Names and ids come whole and first; arguments in pieces. */
function addToolCall(calls: ToolCall[], piece: unknown): ToolCall[] {
  const fields = object(piece);
  const called = object(fields['function']);
  const index = Math.min(figure(fields['index']) ?? calls.length, calls.length);
  const known = calls[index] ?? { id: '', name: '', arguments: '' };
  const next = [...calls];
  next[index] = {
    id: known.id || text(fields['id']) || `call_${index}`,
    name: known.name || text(called['name']),
    arguments: known.arguments + text(called['arguments']),
  };
  return next;
}

/** Streams an answer. Ends normally only if the server ended it; a stream that breaks off is an error. */
export async function* streamChat(body: unknown, signal: AbortSignal): AsyncGenerator<Reply> {
  const response = await request('v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify(body),
    signal,
  });
  if (response.body === null) throw new ApiError('The server sent an empty answer.', response.status);
  let reply = emptyReply();
  try {
    for await (const { data } of readEvents(response.body)) {
      if (data.trim() === '[DONE]') return;
      reply = applyChunk(reply, parseChunk(data));
      yield reply;
    }
  } catch (error) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === 'AbortError')) throw error;
    throw new ApiError(signal.aborted ? 'Stopped.' : 'The connection to the server broke off.', 0);
  }
  if (reply.finish === null) throw new ApiError('The connection to the server broke off before the answer was complete.', 0);
}

function parseChunk(data: string): unknown {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    throw new ApiError('The server sent something that is not JSON.', 0);
  }
  const message = errorMessage(chunk);
  if (message !== null) throw new ApiError(message, 0);
  return chunk;
}
