// Chat, completions, embeddings, models.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { answering, eventually, metric, serve, stopsComputing } from './server.js';

let server, client;
before(async () => {
  server = await serve();
  client = new OpenAI({ baseURL: server.url + '/v1', apiKey: 'none', maxRetries: 0 });
});
after(async () => assert.equal(await server.stop(), 0));

const ask = (content, more = {}) => ({ model: 'rill', temperature: 0, messages: [{ role: 'user', content }], ...more });

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

test('several choices, drawn apart, streamed as they are whole', async () => {
  const wish = ask('Tell me a story.', { n: 3, temperature: 1, seed: 7, max_tokens: 40 });
  const whole = await client.chat.completions.create(wish);
  assert.deepEqual(whole.choices.map((choice) => choice.index), [0, 1, 2]);
  const text = (choices) => choices.map(({ message }) => (message.reasoning_content ?? '') + '|' + message.content);
  assert.equal(new Set(text(whole.choices)).size, 3);
  const streamed = [0, 1, 2].map(() => ({ message: { content: '', reasoning_content: '' } }));
  for await (const chunk of await client.chat.completions.create({ ...wish, stream: true }))
    for (const { index, delta } of chunk.choices)
      for (const part of ['content', 'reasoning_content']) streamed[index].message[part] += delta[part] ?? '';
  assert.deepEqual(text(streamed), text(whole.choices));
});

test('a limit, a stop text, a budget for thoughts', async () => {
  const cut = await client.chat.completions.create(ask('Tell me a story.', { max_completion_tokens: 5 }));
  assert.equal(cut.choices[0].finish_reason, 'length');
  assert.equal(cut.usage.completion_tokens, 5);
  const stopped = await client.chat.completions.create(ask('What is 12+30?', { stop: [' ='] }));
  assert.equal(stopped.choices[0].message.content, '12 + 30');
  const thoughtless = await client.chat.completions.create(ask('What is 12+30?', { reasoning_effort: 'none' }));
  assert.equal(thoughtless.choices[0].message.reasoning_content, undefined);
  assert.ok(thoughtless.choices[0].message.content.length > 0);  // Rill was not trained to do without
});

test('logprobs, whole and streamed', async () => {
  const wish = ask('What is 12+30?', { logprobs: true, top_logprobs: 2 });
  const { content } = (await client.chat.completions.create(wish)).choices[0].logprobs;
  assert.equal(content.map((t) => t.token).join(''), '12 + 30 = 42');
  for (const t of content) {
    assert.ok(t.logprob <= 0 && t.top_logprobs.length === 2 && t.top_logprobs[0].logprob >= t.top_logprobs[1].logprob);
    assert.equal(t.top_logprobs[0].token, t.token);  // the best one was taken
    assert.equal(Buffer.from(t.bytes).toString(), t.token);
  }
  const streamed = [];
  for await (const chunk of await client.chat.completions.create({ ...wish, stream: true })) streamed.push(...(chunk.choices[0].logprobs?.content ?? []));
  assert.deepEqual(streamed, content);
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
  const input = ['a cat', 'a kitten', 'What is 12+30?'];
  const reply = await client.embeddings.create({ model: 'rill', input });  // the client asks for base64
  const plain = await client.embeddings.create({ model: 'rill', input, encoding_format: 'float' });
  assert.equal(reply.data.length, 3);
  reply.data.forEach(({ index, embedding }, i) => {
    assert.equal(index, i);
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3);
    assert.ok(embedding.every((x, k) => Math.abs(x - plain.data[i].embedding[k]) < 1e-6));
  });
  const [one] = (await client.embeddings.create({ model: 'rill', input: 'a kitten' })).data;
  assert.deepEqual(one.embedding, reply.data[1].embedding);  // alone as in company
});

test('models', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names, ['rill']);
  assert.equal((await client.models.retrieve('rill')).id, 'rill');
  await assert.rejects(client.models.retrieve('gpt-9'), OpenAI.NotFoundError);
});

const endless = ask('Tell me a story.', { ignore_eos: true, max_tokens: 3900 });

test('leaving a stream ends the request at the server', async () => {
  const cancelled = await metric(server.url, 'sluice_requests_cancelled_total');
  const stream = await client.chat.completions.create({ ...endless, stream: true });
  for await (const chunk of stream)
    if (chunk.choices[0].delta.content) {
      await stopsComputing(server.url, () => stream.controller.abort());
      break;
    }
  assert.equal(await metric(server.url, 'sluice_requests_cancelled_total'), cancelled + 1);
});

test('aborting a request that is not streamed ends it, too', async () => {
  const controller = new AbortController();
  const asked = assert.rejects(client.chat.completions.create(endless, { signal: controller.signal }), OpenAI.APIUserAbortError);
  await eventually(async () => (await answering(server.url)) === 1);
  await stopsComputing(server.url, () => controller.abort());
  await asked;
});
