// Tools that Rill knows from its training and calls by itself, and one that it does not know. The tests run
// them and send back what they say.
import { validUnder } from './schemas.js';

const text = { type: 'string' }, number = { type: 'number' };
const tool = (name, description, properties) => ({
  name, description, parameters: { type: 'object', properties, required: Object.keys(properties) },
});

export const add = tool('add', 'Add two numbers.', { a: number, b: number });
export const price = tool('get_price', 'Price of an item.', { item: text });
export const note = tool('create_note', 'Save a note.', { text });
export const book = tool('book_table', 'Book a table in a restaurant.', {
  guests: { type: 'integer', minimum: 1, maximum: 8 },
  day: { enum: ['Mon', 'Tue', 'Wed'] },
  code: { type: 'string', pattern: '^[A-Z]{3}[0-9]{2}$' },
  at: { type: 'object', properties: { hour: { type: 'integer', minimum: 17, maximum: 22 } }, required: ['hour'], additionalProperties: false },
});

const prices = { door: 155, table: 12, fork: 3 };
const run = {
  add: ({ a, b }) => String(a + b),
  get_price: ({ item }) => `{"price": ${prices[item] ?? 1}}`,
  create_note: () => '{"ok": true}',
  book_table: ({ guests, day, at }) => `{"booked": "${guests} on ${day} at ${at.hour}"}`,
};
const known = { add, get_price: price, create_note: note, book_table: book };

/** Runs a call whose arguments are JSON text or an object, once they are known to be valid under its schema. */
export const runCall = (name, args) => run[name](validUnder({ ...known[name].parameters, additionalProperties: false }, args));

export const openai = (t) => ({ type: 'function', function: t });
export const anthropic = ({ name, description, parameters }) => ({ name, description, input_schema: parameters });
export const responses = (t) => ({ type: 'function', strict: true, ...t });
