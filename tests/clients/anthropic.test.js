import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { answering, eventually, serve } from './server.js';

let server, client;
before(async () => {
  server = await serve();
  client = new Anthropic({ baseURL: server.url, apiKey: 'none', maxRetries: 0 });
});
after(async () => assert.equal(await server.stop(), 0));

const ask = (content, more = {}) => ({ model: 'rill', max_tokens: 200, temperature: 0, messages: [{ role: 'user', content }], ...more });

test('messages', async () => {
  const reply = await client.messages.create(ask('What is 12+30?'));
  assert.deepEqual(reply.content, [{ type: 'text', text: '12 + 30 = 42' }]);
  assert.equal(reply.stop_reason, 'end_turn');
});

test('stream with thinking, put together by the client', async () => {
  const reply = await client.messages.stream(ask('What is 12+30?', { max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 } })).finalMessage();
  assert.deepEqual(reply.content.map((block) => block.type), ['thinking', 'text']);
  assert.equal(reply.content[1].text, '12 + 30 = 42');
  assert.ok(reply.usage.output_tokens > 5);
});

test('a conversation in which a tool was called', async () => {
  const reply = await client.messages.create(
    ask('', {
      tools: [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }],
      messages: [
        { role: 'user', content: 'What is the weather in Rome?' },
        { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Rome' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'clear' }] },
      ],
    }),
  );
  assert.equal(reply.content.at(-1).type, 'text');
});

test('tokens are counted', async () => {
  const counted = await client.messages.countTokens({ model: 'rill', messages: [{ role: 'user', content: 'What is 12+30?' }] });
  const { usage } = await client.messages.create(ask('What is 12+30?'));
  assert.equal(counted.input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
});

test('errors are the client\'s own classes', async () => {
  await assert.rejects(client.messages.create(ask('x', { temperature: 'hot' })), Anthropic.BadRequestError);
  await assert.rejects(client.messages.create(ask('x', { model: 'claude-9' })), Anthropic.NotFoundError);
});

test('abort ends the request at the server', async () => {
  const stream = client.messages.stream(ask('Tell me a story.', { max_tokens: 3000, ignore_eos: true }));
  stream.on('text', () => stream.abort());
  await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
  await eventually(async () => (await answering(server.url)) === 0);
});
