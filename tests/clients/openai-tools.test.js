// Calls of tools through chat completions and responses: made, run, answered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { serve } from './server.js';
import { add, book, note, openai, price, responses, runCall } from './tools.js';

let server, client;
before(async () => {
  server = await serve();
  client = new OpenAI({ baseURL: server.url + '/v1', apiKey: 'none', maxRetries: 0 });
});
after(async () => assert.equal(await server.stop(), 0));

const asking = (content, tools, more = {}) => ({ model: 'rill', temperature: 0, tools: tools.map(openai), messages: [{ role: 'user', content }], ...more });

/** Asks, runs what is called, sends it back, until there is an answer. Returns all messages. */
async function converse(wish, complete) {
  const messages = [...wish.messages];
  for (let turn = 0; turn < 4; ++turn) {
    const choice = await complete({ ...wish, ...(turn && { tool_choice: 'auto' }), messages });
    messages.push(choice.message);
    if (choice.finish_reason !== 'tool_calls') return messages;
    for (const { id, function: f } of choice.message.tool_calls)
      messages.push({ role: 'tool', tool_call_id: id, content: runCall(f.name, f.arguments) });
  }
  assert.fail('it calls for ever: ' + JSON.stringify(messages));
}
const whole = async (wish) => (await client.chat.completions.create(wish)).choices[0];
const streamed = async (wish) => (await client.chat.completions.stream(wish).finalChatCompletion()).choices[0];

for (const [name, complete] of [['whole', whole], ['streamed', streamed]]) {
  test('a round trip, ' + name, async () => {
    const [, call, said, answer] = await converse(asking('What is 78 + 214?', [add]), complete);
    assert.deepEqual(JSON.parse(call.tool_calls[0].function.arguments), { a: 78, b: 214 });
    assert.match(call.tool_calls[0].id, /^call_[0-9A-Za-z]{24}$/);
    assert.equal(said.content, '292');
    assert.equal(answer.content, '78 + 214 = 292');
  });

  test('parallel calls, ' + name, async () => {
    const messages = await converse(asking('What is the price of a door and table?', [price]), complete);
    assert.deepEqual(messages[1].tool_calls.map((call) => JSON.parse(call.function.arguments).item), ['door', 'table']);
    assert.equal(new Set(messages[1].tool_calls.map((call) => call.id)).size, 2);
    assert.equal(messages.at(-1).content, 'A door costs 155. A table costs 12.');
  });

  test('a call that is demanded where Rill would make none, ' + name, async () => {
    const free = await complete(asking('What is the capital of France?', [book]));
    assert.equal(free.finish_reason, 'stop');
    for (const tool_choice of ['required', { type: 'function', function: { name: 'book_table' } }]) {
      const messages = await converse(
        asking('What is the capital of France?', [note, book], { tool_choice, parallel_tool_calls: false, temperature: 1, seed: 11, max_tokens: 600 }), complete);
      assert.equal(messages[1].tool_calls.length, 1);
      if (tool_choice !== 'required') assert.equal(messages[1].tool_calls[0].function.name, 'book_table');
      assert.ok(messages.at(-1).content || messages.at(-1).tool_calls?.length);  // Rill never learned this tool
    }
  });
}

test('the client runs the tools itself', async () => {
  const runner = client.chat.completions.runTools({
    ...asking('Write down: buy bread and soup', []),
    tools: [{ type: 'function', function: { ...note, parse: JSON.parse, function: (args) => runCall('create_note', args) } }],
  });
  assert.equal(await runner.finalContent(), 'I saved the note: buy bread and soup.');
});

test('no tool fits, or none may be called', async () => {
  const lacking = await whole(asking('How much does one fork cost?', [note]));
  assert.equal(lacking.message.content, 'I have no function for prices.');
  const none = await whole(asking('What is 78 + 214?', [add], { tool_choice: 'none' }));
  assert.equal(none.message.tool_calls, undefined);
  assert.equal(none.message.content, '78 + 214 = 292');
});

test('the stream of a call has its name and id first, and its arguments in pieces', async () => {
  const pieces = [];
  for await (const chunk of await client.chat.completions.create(asking('What is 78 + 214?', [add], { stream: true })))
    pieces.push(...(chunk.choices[0].delta.tool_calls ?? []));
  assert.equal(pieces[0].function.name, 'add');
  assert.ok(pieces[0].id && pieces[0].type === 'function');
  assert.ok(pieces.length > 3 && pieces.slice(1).every((piece) => piece.index === 0 && !piece.id && !piece.function.name));
  assert.deepEqual(JSON.parse(pieces.map((piece) => piece.function.arguments).join('')), { a: 78, b: 214 });
});

test('what was computed of a call is of use in the next turn', async () => {
  const wish = asking('What is the price of a door and table?', [price]);
  const one = await client.chat.completions.create(wish);
  const messages = [...wish.messages, one.choices[0].message];
  for (const { id, function: f } of one.choices[0].message.tool_calls) messages.push({ role: 'tool', tool_call_id: id, content: runCall(f.name, f.arguments) });
  const two = await client.chat.completions.create({ ...wish, messages });
  // Rill's template shows no thoughts and opened them by "<think>\n", two tokens.
  assert.ok(two.usage.prompt_tokens_details.cached_tokens >= one.usage.prompt_tokens - 2, JSON.stringify([one.usage, two.usage]));
  const three = await client.chat.completions.create({ ...wish, messages: [...messages, two.choices[0].message, { role: 'user', content: 'What is the price of a fork?' }] });
  assert.ok(three.usage.prompt_tokens_details.cached_tokens >= two.usage.prompt_tokens - 2, JSON.stringify([two.usage, three.usage]));
});

// The same through responses.

const respond = (input, tools, more = {}) => ({ model: 'rill', temperature: 0, tools: tools.map(responses), input, ...more });
const outputs = (reply) =>
  reply.output.filter((item) => item.type === 'function_call').map((item) => ({ type: 'function_call_output', call_id: item.call_id, output: runCall(item.name, item.arguments) }));

test('responses: a round trip by previous_response_id', async () => {
  const one = await client.responses.create(respond('What is 78 + 214?', [add]));
  assert.equal(one.output.at(-1).type, 'function_call');
  const two = await client.responses.create(respond(outputs(one), [add], { previous_response_id: one.id }));
  assert.equal(two.output_text, '78 + 214 = 292');
  assert.ok(two.usage.input_tokens_details.cached_tokens >= one.usage.input_tokens - 2);
});

test('responses: parallel calls, streamed, sent back as items', async () => {
  const input = [{ role: 'user', content: 'What is the price of a door and table?' }];
  const stream = client.responses.stream(respond(input, [price]));
  const done = [];
  stream.on('response.function_call_arguments.delta', (event) => assert.ok(event.delta));
  for await (const event of stream) if (event.type === 'response.function_call_arguments.done') done.push(JSON.parse(event.arguments).item);
  const one = await stream.finalResponse();
  assert.deepEqual(done, ['door', 'table']);
  const two = await client.responses.create(respond([...input, ...one.output, ...outputs(one)], [price]));
  assert.equal(two.output_text, 'A door costs 155. A table costs 12.');
});

test('responses: a call that is demanded', async () => {
  for (const tool_choice of ['required', { type: 'function', name: 'book_table' }]) {
    const one = await client.responses.create(
      respond('What is the capital of France?', [book], { tool_choice, temperature: 1, seed: 11, parallel_tool_calls: false, max_output_tokens: 600 }));
    assert.equal(outputs(one).length, 1);
    const two = await client.responses.create(respond(outputs(one), [book], { previous_response_id: one.id }));
    // Rill never learned this tool: it may as well ask for it again.
    assert.ok(two.output_text.length > 0 || outputs(two).length > 0);
  }
});
