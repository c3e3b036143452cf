// Responses: items, streams, conversations that go on from an earlier one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { serve, stopsComputing } from './server.js';

let server, client;
before(async () => {
  server = await serve();
  client = new OpenAI({ baseURL: server.url + '/v1', apiKey: 'none', maxRetries: 0 });
});
after(async () => assert.equal(await server.stop(), 0));

const sum = { model: 'rill', input: 'What is 12+30?', temperature: 0 };

test('one, and what it repeats of its request', async () => {
  const reply = await client.responses.create({ ...sum, instructions: 'Be brief.', max_output_tokens: 300, metadata: { a: 'b' } });
  assert.equal(reply.output_text, '12 + 30 = 42');
  assert.equal(reply.status, 'completed');
  assert.deepEqual(reply.output.map((item) => item.type), ['reasoning', 'message']);
  assert.equal(reply.instructions, 'Be brief.');
  assert.equal(reply.max_output_tokens, 300);
  assert.deepEqual(reply.metadata, { a: 'b' });
  assert.equal(reply.usage.total_tokens, reply.usage.input_tokens + reply.usage.output_tokens);
});

test('one that goes on', async () => {
  const first = await client.responses.create(sum);
  const second = await client.responses.create({ ...sum, input: 'What is 7+8?', previous_response_id: first.id });
  assert.match(second.output_text, /15/);
  assert.equal(second.previous_response_id, first.id);
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
  assert.equal((await client.responses.retrieve(first.id)).output_text, '12 + 30 = 42');
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
  await assert.rejects(client.responses.create({ ...sum, previous_response_id: first.id }), (e) => e instanceof OpenAI.NotFoundError && e.param === 'previous_response_id');
});

test('one that is not kept', async () => {
  const reply = await client.responses.create({ ...sum, store: false });
  await assert.rejects(client.responses.retrieve(reply.id), OpenAI.NotFoundError);
});

test('a stream: each item opened, filled, closed; numbered; put together by the client', async () => {
  const stream = client.responses.stream(sum);
  const events = [];
  for await (const event of stream) events.push(event);
  const reply = await stream.finalResponse();
  assert.equal(reply.output_text, '12 + 30 = 42');
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
  const types = events.map((event) => event.type);
  assert.equal(types[0], 'response.created');
  assert.equal(types.at(-1), 'response.completed');
  const text = (type) => events.filter((event) => event.type === type).map((event) => event.delta).join('');
  assert.equal(text('response.output_text.delta'), '12 + 30 = 42');
  assert.equal(text('response.reasoning_text.delta'), reply.output[0].content[0].text);
  const added = events.filter((event) => event.type === 'response.output_item.added').map((event) => event.item.id);
  const done = events.filter((event) => event.type === 'response.output_item.done').map((event) => event.item.id);
  assert.deepEqual(added, done);
  assert.deepEqual(done, reply.output.map((item) => item.id));
});

test('cut by a limit', async () => {
  const reply = await client.responses.create({ ...sum, input: 'Tell me a story.', max_output_tokens: 6 });
  assert.equal(reply.status, 'incomplete');
  assert.deepEqual(reply.incomplete_details, { reason: 'max_output_tokens' });
});

test('abort ends the request at the server', async () => {
  const stream = client.responses.stream({ ...sum, input: 'Tell me a story.', ignore_eos: true });
  await assert.rejects(async () => {
    for await (const event of stream)
      if (event.type.endsWith('.delta')) {
        await stopsComputing(server.url, () => stream.abort());
        break;  // what came before the abort is still on its way to this loop
      }
    await stream.finalResponse();
  }, OpenAI.APIUserAbortError);
});
