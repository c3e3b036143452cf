import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ollama } from 'ollama';
import { serve, stopsComputing } from './server.js';
import { add, openai, price, runCall } from './tools.js';

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
  assert.ok(reply.prompt_eval_count > 5 && reply.eval_duration > 0);
});

const streamed = async (wish) => {
  const whole = { message: { role: 'assistant', content: '', thinking: '' } };
  for await (const part of await client.chat({ ...wish, stream: true })) {
    whole.message.content += part.message.content;
    whole.message.thinking += part.message.thinking ?? '';
    if (part.message.tool_calls) whole.message.tool_calls = [...(whole.message.tool_calls ?? []), ...part.message.tool_calls];
    whole.last = part;
  }
  return whole;
};

test('stream', async () => {
  const { message, last } = await streamed(ask('What is 12+30?'));
  assert.equal(message.content, '12 + 30 = 42');
  assert.ok(message.thinking.length > 0);
  assert.ok(last.done && last.eval_count > 5);
});

for (const [name, complete] of [['whole', (wish) => client.chat(wish)], ['streamed', streamed]])
  test('round trips, one call and two at once, ' + name, async () => {
    for (const [question, tool, calls, answer] of [
      ['What is 78 + 214?', add, [{ a: 78, b: 214 }], '78 + 214 = 292'],
      ['What is the price of a door and table?', price, [{ item: 'door' }, { item: 'table' }], 'A door costs 155. A table costs 12.'],
    ]) {
      const wish = ask(question, { tools: [openai(tool)] });
      const { message } = await complete(wish);
      assert.deepEqual(message.tool_calls.map((call) => call.function.arguments), calls);
      const results = message.tool_calls.map(({ function: f }) => ({ role: 'tool', tool_name: f.name, content: runCall(f.name, f.arguments) }));
      assert.equal((await complete({ ...wish, messages: [...wish.messages, message, ...results] })).message.content, answer);
    }
  });

test('thinking, as much as is wished', async () => {
  assert.equal((await client.chat(ask('What is 12+30?', { think: false }))).message.thinking, undefined);
  assert.ok((await client.chat(ask('What is 12+30?', { think: 'low' }))).message.thinking);
});

test('generate', async () => {
  const reply = await client.generate({ model: 'rill', prompt: 'Once upon a time', raw: true, options: { num_predict: 8, temperature: 0 } });
  assert.equal(reply.eval_count, 8);
  assert.equal(reply.done_reason, 'length');
  let text = '';
  for await (const part of await client.generate({ model: 'rill', prompt: 'Once upon a time', raw: true, stream: true, options: { num_predict: 8, temperature: 0 } })) text += part.response;
  assert.equal(text, reply.response);
  assert.equal((await client.generate({ model: 'rill', prompt: 'What is 12+30?', system: 'Be brief.', options: { temperature: 0 } })).response, '12 + 30 = 42');
});

test('embed, list, show, ps, version', async () => {
  const { embeddings } = await client.embed({ model: 'rill', input: ['a', 'b'] });
  assert.equal(embeddings.length, 2);
  assert.ok(Math.abs(Math.hypot(...embeddings[0]) - 1) < 1e-3);
  assert.equal((await client.list()).models[0].name, 'rill');
  const shown = await client.show({ model: 'rill' });
  assert.equal(shown.details.family, 'deepseek2');
  assert.deepEqual(shown.capabilities, ['completion', 'tools', 'thinking']);
  assert.equal((await client.ps()).models.length, 1);
  assert.ok((await client.version()).version);
});

test('abort ends the request at the server', async () => {
  const stream = await client.chat(ask('Tell me a story.', { stream: true, options: { num_predict: 3900, ignore_eos: true } }));
  await assert.rejects(async () => {
    let left = false;
    for await (const _ of stream) {
      if (!left) await stopsComputing(server.url, () => stream.abort());
      left = true;  // what came before the abort is still on its way to this loop
    }
  }, /abort/i);
});
