import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { answering, eventually, serve } from './server.js';

let server, client;
before(async () => {
  server = await serve();
  client = new OpenAI({ baseURL: server.url + '/v1', apiKey: 'none', maxRetries: 0 });
});
after(async () => assert.equal(await server.stop(), 0));

const ask = (content, more = {}) => ({ model: 'rill', temperature: 0, messages: [{ role: 'user', content }], ...more });
const tool = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
};

test('chat', async () => {
  const reply = await client.chat.completions.create(ask('What is 12+30?'));
  assert.equal(reply.choices[0].message.content, '12 + 30 = 42');
  assert.ok(reply.choices[0].message.reasoning_content);
  assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
});

test('stream, put together by the client', async () => {
  const stream = client.chat.completions.stream(ask('What is 12+30?', { stream_options: { include_usage: true } }));
  let pieces = 0;
  stream.on('content', () => ++pieces);
  const reply = await stream.finalChatCompletion();
  assert.equal(reply.choices[0].message.content, '12 + 30 = 42');
  assert.equal(reply.choices[0].finish_reason, 'stop');
  assert.ok(pieces > 3);
  assert.ok((await stream.totalUsage()).completion_tokens > 3);
});

test('logprobs', async () => {
  const reply = await client.chat.completions.create(ask('What is 12+30?', { logprobs: true, top_logprobs: 2 }));
  const { content } = reply.choices[0].logprobs;
  assert.equal(content.map((t) => t.token).join(''), '12 + 30 = 42');
  assert.ok(content.every((t) => t.logprob <= 0 && t.top_logprobs.length === 2 && t.bytes.length));
});

test('a conversation in which a tool was called', async () => {
  const reply = await client.chat.completions.create({
    ...ask('What is the weather in Rome?'),
    tools: [tool],
    messages: [
      { role: 'user', content: 'What is the weather in Rome?' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: '{"sky":"clear"}' },
    ],
  });
  assert.ok(reply.choices[0].message.content.length > 0);
});

test('completions', async () => {
  const reply = await client.completions.create({ model: 'rill', prompt: 'Once upon a time', max_tokens: 8, temperature: 0, logprobs: 1 });
  assert.equal(reply.choices[0].logprobs.tokens.length, 8);
  let text = '';
  for await (const chunk of await client.completions.create({ model: 'rill', prompt: 'Once upon a time', max_tokens: 8, temperature: 0, stream: true }))
    text += chunk.choices[0].text;
  assert.equal(text, reply.choices[0].text);
});

test('embeddings', async () => {
  const reply = await client.embeddings.create({ model: 'rill', input: ['a cat', 'a dog'] });  // the client asks for base64
  assert.equal(reply.data.length, 2);
  const length = Math.hypot(...reply.data[0].embedding);
  assert.ok(Math.abs(length - 1) < 1e-3, String(length));
});

test('responses, that go on', async () => {
  const first = await client.responses.create({ model: 'rill', input: 'What is 12+30?', temperature: 0 });
  assert.equal(first.output_text, '12 + 30 = 42');
  const second = await client.responses.create({ model: 'rill', input: 'What is 7+8?', previous_response_id: first.id, temperature: 0 });
  assert.match(second.output_text, /15/);
  assert.equal((await client.responses.retrieve(first.id)).output_text, '12 + 30 = 42');
});

test('responses, streamed', async () => {
  const stream = client.responses.stream({ model: 'rill', input: 'What is 12+30?', temperature: 0 });
  let text = '';
  stream.on('response.output_text.delta', (event) => (text += event.delta));
  const reply = await stream.finalResponse();
  assert.equal(reply.output_text, '12 + 30 = 42');
  assert.equal(text, '12 + 30 = 42');
});

test('models', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names, ['rill']);
  assert.equal((await client.models.retrieve('rill')).id, 'rill');
});

test('errors are the client\'s own classes', async () => {
  await assert.rejects(client.chat.completions.create(ask('x', { temperature: 'hot' })), (e) => {
    assert.ok(e instanceof OpenAI.BadRequestError);
    assert.equal(e.param, 'temperature');
    return true;
  });
  await assert.rejects(client.chat.completions.create(ask('x', { model: 'gpt-9' })), OpenAI.NotFoundError);
  const keyed = await serve('--api-key', 'secret');
  await assert.rejects(new OpenAI({ baseURL: keyed.url + '/v1', apiKey: 'wrong' }).models.list(), OpenAI.AuthenticationError);
  await new OpenAI({ baseURL: keyed.url + '/v1', apiKey: 'secret' }).models.list();
  await keyed.stop();
});

test('abort ends the request at the server', async () => {
  const stream = await client.chat.completions.create(ask('Tell me a story.', { stream: true, ignore_eos: true }));
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content || chunk.choices[0].delta.reasoning_content) break;  // leaving aborts
  }
  await eventually(async () => (await answering(server.url)) === 0);
});
