// Answers while they come: one request for each conversation at most, shown a few times a second and written down as they grow.

import { signal } from '@preact/signals';
import { emptyReply, streamChat, type Progress, type Reply } from '../api/chat';
import { ApiError } from '../api/client';
import { checkServer, defaultModel } from '../api/server';
import { announce } from '../ui/announce';
import { addMessages, current, currentId, thread, updateMessage, type NewUserMessage } from './store';
import type { Message } from './model';
import { requestBody } from './prompt';
import { pathTo, shownPath } from './tree';

export interface Answering {
  message: string;
  controller: AbortController;
  started: number;
  /** What the server says before the first token. */
  progress: Progress | null;
}

/** By conversation. */
export const answering = signal<ReadonlyMap<string, Answering>>(new Map());

const showInterval = 50;
const keepInterval = 400;

function setAnswering(id: string, value: Answering | null): void {
  const map = new Map(answering.value);
  if (value === null) map.delete(id);
  else map.set(id, value);
  answering.value = map;
}

export function stop(id: string | null = currentId.value): boolean {
  const running = id === null ? undefined : answering.value.get(id);
  running?.controller.abort();
  return running !== undefined;
}

/** Sends a user's message after what is shown. Returns the conversation's id. */
export function send(message: NewUserMessage): string {
  const at = current.value;
  return sendAfter(at.conversation.id, shownPath(at).at(-1)?.id ?? null, message);
}

/** Another version of a user's message, with its own answer: a branch. */
export function editAndResend(message: Message, content: string): void {
  sendAfter(message.conversation, message.parent, { content, attachments: message.attachments });
}

function sendAfter(id: string, parent: string | null, { content, attachments }: NewUserMessage): string {
  stop(id);
  const fields = attachments?.length ? { content, attachments } : { content };
  const [added] = addMessages(id, parent, [{ role: 'user', ...fields }]);
  void answer(added!.conversation, added!.id);
  return added!.conversation;
}

/** Another answer to the same message. */
export function regenerate(message: Message): void {
  stop(message.conversation);
  void answer(message.conversation, message.parent);
}

export function sendToolResults(message: Message, results: string[]): void {
  stop(message.conversation);
  const added = addMessages(
    message.conversation,
    message.id,
    (message.toolCalls ?? []).map((call, at) => ({ role: 'tool' as const, content: results[at] ?? '', toolCallId: call.id })),
  );
  void answer(message.conversation, added.at(-1)!.id);
}

async function answer(id: string, parent: string | null): Promise<void> {
  const [message] = addMessages(id, parent, [{ role: 'assistant', content: '', state: 'streaming' }]);
  if (message === undefined) return;
  const controller = new AbortController();
  const run: Answering = { message: message.id, controller, started: Date.now(), progress: null };
  setAnswering(id, run);
  const shown = new ShownAnswer(message, run);
  window.addEventListener('pagehide', shown.keepNow);
  try {
    const at = thread(id)!;
    const body = requestBody(pathTo(at, parent), at.conversation.settings, defaultModel.value);
    for await (const reply of streamChat(body, controller.signal)) shown.receive(reply);
    shown.finish(shown.reply.finish === 'length' ? 'length' : 'done');
    announce(shown.reply.toolCalls.length > 0 ? 'The model calls a tool.' : 'The answer is complete.');
  } catch (error) {
    if (controller.signal.aborted) {
      shown.finish('stopped');
      announce('Stopped.');
    } else {
      shown.finish('error', (error as Error).message);
      if (error instanceof ApiError && error.status === 0) checkServer();
    }
  } finally {
    window.removeEventListener('pagehide', shown.keepNow);
    if (answering.value.get(id) === run || answering.value.get(id)?.message === run.message) setAnswering(id, null);
  }
}

/** One answer's way to the screen and to the storage, at their own paces. */
class ShownAnswer {
  reply: Reply = emptyReply();
  #thinkingStarted = 0;
  #thinkingMs: number | undefined;
  #firstToken = 0;
  #pieces = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #keptAt = 0;

  constructor(private message: Message, private readonly run: Answering) {}

  receive(reply: Reply): void {
    const now = Date.now();
    if (reply.progress !== this.reply.progress) this.#showProgress(reply.progress);
    if (reply.reasoning !== this.reply.reasoning && this.#thinkingStarted === 0) this.#thinkingStarted = now;
    const answers = reply.content !== '' || reply.toolCalls.length > 0;
    if (answers && this.#thinkingStarted > 0) this.#thinkingMs ??= now - this.#thinkingStarted;
    if (answers || reply.reasoning !== '') {
      this.#firstToken ||= now;
      this.#pieces++;
    }
    this.reply = reply;
    this.#timer ??= setTimeout(this.#show, showInterval);
  }

  finish(state: Message['state'], error?: string): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#thinkingStarted > 0) this.#thinkingMs ??= Date.now() - this.#thinkingStarted;
    const { promptTokens, completionTokens } = this.reply;
    const seconds = (Date.now() - this.#firstToken) / 1000;
    const tokens = completionTokens ?? this.#pieces;
    const rate = this.reply.tokensPerSecond ?? (tokens > 1 && seconds > 0.05 ? (tokens - 1) / seconds : undefined);
    updateMessage(
      {
        ...this.#current(),
        state,
        ...(error === undefined ? {} : { error }),
        ...(promptTokens === null ? {} : { promptTokens }),
        ...(completionTokens === null ? {} : { completionTokens }),
        ...(rate === undefined ? {} : { tokensPerSecond: rate }),
      },
      true,
    );
  }

  readonly keepNow = (): void => updateMessage(this.#current(), true);

  readonly #show = (): void => {
    this.#timer = null;
    const keep = Date.now() - this.#keptAt > keepInterval;
    if (keep) this.#keptAt = Date.now();
    updateMessage(this.#current(), keep);
  };

  #showProgress(progress: Progress | null): void {
    const running = answering.value.get(this.message.conversation);
    if (running?.message === this.run.message) setAnswering(this.message.conversation, { ...running, progress });
  }

  #current(): Message {
    const { content, reasoning, toolCalls, model } = this.reply;
    const message: Message = { ...this.message, content };
    if (model) message.model = model;
    if (reasoning) message.reasoning = reasoning;
    if (this.#thinkingStarted > 0) message.reasoningMs = this.#thinkingMs ?? Date.now() - this.#thinkingStarted;
    if (toolCalls.length > 0) message.toolCalls = toolCalls;
    return message;
  }
}
