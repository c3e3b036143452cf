// Answers that are held to a form, through every interface that takes one, whole and streamed; ajv judges each.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { address, schemas, valid, validUnder } from './schemas.js';
import { serve } from './server.js';

let server, client, ollama;
before(async () => {
  server = await serve('--parallel', '8');
  client = new OpenAI({ baseURL: server.url + '/v1', apiKey: 'none', maxRetries: 0 });
  ollama = new Ollama({ host: server.url });
});
after(async () => assert.equal(await server.stop(), 0));

const question = 'Write JSON about a person.';
const messages = [{ role: 'user', content: question }];
const chat = { model: 'rill', temperature: 1, max_tokens: 2000, messages };
const named = (name) => ({ type: 'json_schema', json_schema: { name, schema: schemas[name], strict: true } });
const text = (name) => ({ format: { type: 'json_schema', name, schema: schemas[name], strict: true } });
const options = { temperature: 1, num_predict: 2000 };

/** Each way returns the texts of whole answers. */
const ways = {
  'chat completions': async (name) => {
    const { choices } = await client.chat.completions.create({ ...chat, n: 4, seed: 1, response_format: named(name) });
    return choices.map((choice) => (assert.equal(choice.finish_reason, 'stop'), choice.message.content));
  },
  'chat completions, streamed': async (name) => {
    const stream = client.chat.completions.stream({ ...chat, seed: 21, response_format: named(name) });
    let text = '';
    stream.on('content', (delta) => (text += delta));
    const [choice] = (await stream.finalChatCompletion()).choices;
    assert.equal(choice.finish_reason, 'stop');
    assert.equal(text, choice.message.content);
    return [text];
  },
  'chat completions, parsed by the client': async (name) => {
    const [choice] = (await client.chat.completions.parse({ ...chat, seed: 31, response_format: named(name) })).choices;
    return [choice.message.content];
  },
  responses: async (name) => {
    const reply = await client.responses.create({ model: 'rill', temperature: 1, seed: 41, input: question, text: text(name), max_output_tokens: 2000 });
    assert.equal(reply.status, 'completed');
    assert.equal(reply.text.format.name, name);
    return [reply.output_text];
  },
  'responses, streamed': async (name) => {
    const stream = client.responses.stream({ model: 'rill', temperature: 1, seed: 51, input: question, text: text(name), max_output_tokens: 2000 });
    let said = '';
    stream.on('response.output_text.delta', (event) => (said += event.delta));
    const reply = await stream.finalResponse();
    assert.equal(said, reply.output_text);
    return [said];
  },
  'Ollama chat': async (name) => {
    const reply = await ollama.chat({ model: 'rill', messages, format: schemas[name], options: { ...options, seed: 61 } });
    assert.equal(reply.done_reason, 'stop');
    return [reply.message.content];
  },
  'Ollama chat, streamed': async (name) => {
    let said = '', last;
    for await (const part of await ollama.chat({ model: 'rill', messages, stream: true, format: schemas[name], options: { ...options, seed: 71 } }))
      (said += part.message.content), (last = part);
    assert.equal(last.done_reason, 'stop');
    return [said];
  },
  'Ollama generate': async (name) => {
    const reply = await ollama.generate({ model: 'rill', prompt: question, format: schemas[name], options: { ...options, seed: 81 } });
    return [reply.response];
  },
};

for (const name of Object.keys(schemas))
  test('schema: ' + name, async () => {
    const seen = await Promise.all(
      Object.entries(ways).map(async ([way, ask]) => {
        const texts = await ask(name);
        for (const text of texts) {
          try {
            valid(name, text);
          } catch (e) {
            e.message = way + ': ' + e.message;
            throw e;
          }
        }
        return texts;
      }),
    );
    assert.equal(seen.flat().length, Object.keys(ways).length + 3);
  });

test('addresses, those that came to an end', async () => {
  const { choices } = await client.chat.completions.create({
    ...chat, n: 16, seed: 1, max_tokens: 300, response_format: { type: 'json_schema', json_schema: { name: 'address', schema: address } } });
  const ended = choices.filter((choice) => choice.finish_reason === 'stop');
  assert.ok(ended.length > 1, JSON.stringify(choices));
  for (const { message } of ended) validUnder(address, message.content);
});

test('any object', async () => {
  const format = { type: 'json_object' };
  const texts = [
    (await client.chat.completions.create({ ...chat, seed: 1, response_format: format })).choices[0].message.content,
    (await client.chat.completions.stream({ ...chat, seed: 2, response_format: format }).finalChatCompletion()).choices[0].message.content,
    (await client.responses.create({ model: 'rill', input: question, text: { format } })).output_text,
    (await ollama.chat({ model: 'rill', messages, format: 'json', options })).message.content,
    (await ollama.generate({ model: 'rill', prompt: question, format: 'json', options })).response,
  ];
  for (const text of texts) {
    const value = JSON.parse(text);
    assert.ok(value && typeof value === 'object' && !Array.isArray(value), text);
  }
});

test('a form says nothing about thoughts, and an answer that keeps it by itself is as without', async () => {
  const json = { model: 'rill', temperature: 0, messages: [{ role: 'user', content: 'What is 12+30?' }] };
  const free = (await client.chat.completions.create(json)).choices[0].message;
  const held = (await client.chat.completions.create({ ...json, response_format: named('constants') })).choices[0].message;
  assert.equal(held.reasoning_content, free.reasoning_content);
  valid('constants', held.content);
});

test('what a schema asks that is not understood is refused with its place', async () => {
  const refused = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } };
  await assert.rejects(
    client.chat.completions.create({ ...chat, response_format: { type: 'json_schema', json_schema: { name: 's', schema: refused } } }),
    (e) => e instanceof OpenAI.BadRequestError && e.param === 'response_format' && /uniqueItems/.test(e.message) && /\/properties\/a/.test(e.message));
  await assert.rejects(
    client.responses.create({ model: 'rill', input: question, text: { format: { type: 'json_schema', name: 's', schema: refused } } }),
    (e) => e instanceof OpenAI.BadRequestError && e.param === 'text.format');
  await assert.rejects(ollama.chat({ model: 'rill', messages, format: refused }), /uniqueItems/);
});
