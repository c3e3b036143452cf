// What goes wrong reaches a program as its client's own classes, with what it needs to know.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { eventually, metric, serve } from './server.js';

const openai = ({ url }, apiKey = 'none') => new OpenAI({ baseURL: url + '/v1', apiKey, maxRetries: 0 });
const anthropic = ({ url }, apiKey = 'none') => new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is 12+30?' }];
const chat = (more) => ({ model: 'rill', temperature: 0, messages, ...more });
const message = (more) => chat({ max_tokens: 100, ...more });

let server;
before(async () => (server = await serve()));
after(async () => assert.equal(await server.stop(), 0));

test('400 says which field', async () => {
  const client = openai(server);
  const cases = [
    ['temperature', { temperature: 'hot' }], ['messages', { messages: [] }], ['messages[0].role', { messages: [{ role: 'king', content: '' }] }],
    ['n', { n: 1000 }], ['tools[0].type', { tools: [{ type: 'browser' }] }], ['tool_choice', { tool_choice: 'required' }],
    ['response_format.type', { response_format: { type: 'yaml' } }], ['top_logprobs', { logprobs: true, top_logprobs: 99 }],
    ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }],
  ];
  for (const [param, wish] of cases)
    await assert.rejects(client.chat.completions.create(chat(wish)), (e) => {
      assert.ok(e instanceof OpenAI.BadRequestError, e);
      assert.equal(e.param, param);
      assert.equal(e.type, 'invalid_request_error');
      return true;
    });
  await assert.rejects(anthropic(server).messages.create(message({ temperature: 'hot' })), (e) => e instanceof Anthropic.BadRequestError && e.error.error.type === 'invalid_request_error' && /temperature/.test(e.message));
  await assert.rejects(new Ollama({ host: server.url }).chat(chat({ format: 'yaml' })), (e) => e.status_code === 400 && /format/.test(e.message));
});

test('400: a prompt that no context holds', async () => {
  const long = [{ role: 'user', content: 'word '.repeat(6000) }];
  await assert.rejects(openai(server).chat.completions.create(chat({ messages: long })), (e) => e instanceof OpenAI.BadRequestError && e.code === 'context_length_exceeded');
  await assert.rejects(anthropic(server).messages.create(message({ messages: long })), Anthropic.BadRequestError);
});

test('404: a model or an address that is not here', async () => {
  await assert.rejects(openai(server).chat.completions.create(chat({ model: 'gpt-9' })), (e) => e instanceof OpenAI.NotFoundError && e.param === 'model');
  await assert.rejects(openai(server).images.generate({ prompt: 'a cat' }), OpenAI.NotFoundError);
  await assert.rejects(anthropic(server).messages.create(message({ model: 'claude-9' })), Anthropic.NotFoundError);
  await assert.rejects(new Ollama({ host: server.url }).chat(chat({ model: 'nobody' })), (e) => e.status_code === 404 && /nobody/.test(e.message));
});

test('401: a key that is not known, or none', async () => {
  const keyed = await serve('--api-key', 'secret');
  await assert.rejects(openai(keyed, 'wrong').models.list(), OpenAI.AuthenticationError);
  await assert.rejects(openai(keyed, 'wrong').chat.completions.create(chat()), OpenAI.AuthenticationError);
  await assert.rejects(anthropic(keyed, 'wrong').messages.create(message()), Anthropic.AuthenticationError);
  await assert.rejects(new Ollama({ host: keyed.url }).list(), (e) => e.status_code === 401);
  await openai(keyed, 'secret').models.list();
  assert.equal((await anthropic(keyed, 'secret').messages.create(message())).content[0].text, '12 + 30 = 42');
  await new Ollama({ host: keyed.url, headers: { Authorization: 'Bearer secret' } }).list();
  assert.equal(await keyed.stop(), 0);
});

test('413: a body that is too large, and the connection is of use afterwards', async () => {
  const small = await serve('--max-body', '2K');
  const large = [{ role: 'user', content: 'x'.repeat(5000) }];
  await assert.rejects(openai(small).chat.completions.create(chat({ messages: large })), (e) => e instanceof OpenAI.APIError && e.status === 413);
  await assert.rejects(anthropic(small).messages.create(message({ messages: large })), (e) => e instanceof Anthropic.APIError && e.status === 413 && e.error.error.type === 'request_too_large');
  await assert.rejects(new Ollama({ host: small.url }).chat(chat({ messages: large })), (e) => e.status_code === 413);
  assert.equal((await openai(small).chat.completions.create(chat())).choices[0].message.content, '12 + 30 = 42');
  assert.equal(await small.stop(), 0);
});

test('429: too often, and when to come again', async () => {
  const slow = await serve('--rate-limit', '2');
  const client = openai(slow);
  await client.chat.completions.create(chat());
  await client.chat.completions.create(chat());
  await assert.rejects(client.chat.completions.create(chat()), (e) => e instanceof OpenAI.RateLimitError && Number(e.headers.get('retry-after')) > 0 && e.type === 'rate_limit_error');
  await assert.rejects(anthropic(slow).messages.create(message()), (e) => e instanceof Anthropic.RateLimitError && Number(e.headers.get('retry-after')) > 0);
  await assert.rejects(new Ollama({ host: slow.url }).chat(chat()), (e) => e.status_code === 429);
  assert.equal(await slow.stop(), 0);
});

test('503: the queue is full; those in it are answered', async () => {
  const busy = await serve('--parallel', '1', '--queue', '1');
  const client = openai(busy);
  const first = await client.chat.completions.create(chat({ stream: true, ignore_eos: true, max_tokens: 3900 }));
  for await (const _ of first) {
    const waiting = client.chat.completions.create(chat());
    await eventually(async () => (await metric(busy.url, 'sluice_requests_waiting')) === 1);
    await assert.rejects(client.chat.completions.create(chat()), (e) => e instanceof OpenAI.InternalServerError && e.status === 503 && Number(e.headers.get('retry-after')) > 0);
    await assert.rejects(client.chat.completions.create(chat({ stream: true })), (e) => e.status === 503);
    await assert.rejects(anthropic(busy).messages.create(message()), (e) => e instanceof Anthropic.InternalServerError && e.status === 503);
    await assert.rejects(new Ollama({ host: busy.url }).chat(chat()), (e) => e.status_code === 503);
    first.controller.abort();
    assert.equal((await waiting).choices[0].message.content, '12 + 30 = 42');
    break;
  }
  assert.equal(await busy.stop(), 0);
});
