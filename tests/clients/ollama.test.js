import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ollama } from 'ollama';
import { answering, eventually, serve } from './server.js';

let server, client;
before(async () => {
  server = await serve();
  client = new Ollama({ host: server.url });
});
after(async () => assert.equal(await server.stop(), 0));

const ask = (content, more = {}) => ({ model: 'rill', options: { temperature: 0 }, messages: [{ role: 'user', content }], ...more });

test('chat', async () => {
  const reply = await client.chat(ask('What is 12+30?'));
  assert.equal(reply.message.content, '12 + 30 = 42');
  assert.ok(reply.message.thinking);
  assert.equal(reply.done_reason, 'stop');
});

test('stream', async () => {
  let text = '', last;
  for await (const part of await client.chat(ask('What is 12+30?', { stream: true }))) (text += part.message.content), (last = part);
  assert.equal(text, '12 + 30 = 42');
  assert.ok(last.done && last.eval_count > 5);
});

test('generate', async () => {
  const reply = await client.generate({ model: 'rill', prompt: 'Once upon a time', raw: true, options: { num_predict: 8, temperature: 0 } });
  assert.equal(reply.eval_count, 8);
});

test('embed, list, show, ps, version', async () => {
  assert.equal((await client.embed({ model: 'rill', input: ['a', 'b'] })).embeddings.length, 2);
  assert.equal((await client.list()).models[0].name, 'rill');
  assert.equal((await client.show({ model: 'rill' })).details.family, 'deepseek2');
  assert.equal((await client.ps()).models.length, 1);
  assert.ok((await client.version()).version);
});

test('errors carry the sentence', async () => {
  await assert.rejects(client.chat(ask('x', { model: 'nobody' })), /nobody/);
});

test('abort ends the request at the server', async () => {
  const stream = await client.chat(ask('Tell me a story.', { stream: true, options: { num_predict: 3000, temperature: 1 } }));
  await assert.rejects(async () => {
    for await (const _ of stream) stream.abort();
  }, /abort/i);
  await eventually(async () => (await answering(server.url)) === 0);
});
