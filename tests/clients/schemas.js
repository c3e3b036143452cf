// Schemas that answers are held to, one for each thing a schema can say, and the judge of the answers: ajv.
import assert from 'node:assert/strict';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const object = (properties, more = {}) => ({
  type: 'object', properties, required: Object.keys(properties), additionalProperties: false, ...more,
});
const word = { type: 'string', minLength: 1, maxLength: 12 };

/** name → schema. All texts and lists have an end, so that an answer at any temperature has one. */
export const schemas = {
  nested: object({ person: object({ name: word, home: object({ street: word, floor: { type: 'integer', minimum: 0, maximum: 40 } }) }) }),
  enums: object({ colour: { enum: ['red', 'green', 'dark "blue"'] }, size: { type: 'integer', enum: [1, 2, 30] }, any: { enum: [true, null, 'x', 2.5] } }),
  lists: object({
    tags: { type: 'array', items: word, minItems: 2, maxItems: 4 },
    grid: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'array', minItems: 2, maxItems: 2, items: { type: 'integer', minimum: 0, maximum: 9 } } },
    pair: { type: 'array', prefixItems: [word, { type: 'boolean' }], items: false, minItems: 2 },
  }),
  choices: object({
    pet: { anyOf: [object({ kind: { const: 'cat' }, lives: { type: 'integer', minimum: 1, maximum: 9 } }), object({ kind: { const: 'dog' }, name: word })] },
    code: { oneOf: [{ type: 'integer', minimum: 100, maximum: 599 }, { type: 'null' }] },
  }),
  references: {
    $defs: {
      leaf: { type: 'integer', minimum: 0, maximum: 99 },
      node: object({ left: { $ref: '#/$defs/leaf' }, right: { anyOf: [{ $ref: '#/$defs/leaf' }, { type: 'null' }] } }),
    },
    ...object({ root: { $ref: '#/$defs/node' }, spare: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 } }),
  },
  recursion: {
    $defs: { list: object({ value: { enum: [1, 2] }, next: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/list' }] } }) },
    $ref: '#/$defs/list',
  },
  numbers: object({
    small: { type: 'integer', minimum: -5, maximum: 5 },
    share: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    big: { type: 'integer', minimum: 1000, maximum: 123456 },
    cold: { type: 'number', minimum: -40.5, maximum: -0.25 },
  }),
  constants: object({ version: { const: 2 }, kind: { const: 'report' }, list: { const: [1, 'a', { b: null }] } }),
  formats: object(Object.fromEntries(
    ['date', 'time', 'date-time', 'duration', 'uuid', 'ipv4', 'ipv6'].map((format) => [format.replace('-', '_'), { type: 'string', format }]))),
  hosts: object({ host: { type: 'string', format: 'hostname' }, mail: { type: 'string', format: 'email' } }),
  patterns: object({
    plate: { type: 'string', pattern: '^[A-Z]{2}-[0-9]{4}$' },
    answer: { type: 'string', pattern: '^(yes|no|may be)$' },
    hex: { type: 'string', pattern: '^#(?:[0-9a-f]{3}){1,2}$' },
  }),
  optional: object({ must: { type: 'boolean' }, may: word, might: { type: ['integer', 'null'], minimum: 0, maximum: 9 } }, { required: ['must'] }),
  joined: { allOf: [object({ a: { type: 'integer', minimum: 0, maximum: 50 } }, { additionalProperties: true }), { properties: { a: { maximum: 9 }, b: word }, required: ['b'] }] },
  described: { title: 'An event', description: 'What happens when', ...object({ title: { ...word, description: 'of the event', examples: ['Lunch'] }, day: { enum: ['Mon', 'Tue'], default: 'Mon' } }) },
  unicode: object({ 'größe "x"': { enum: ['klein', 'groß', '大', '🦙', 'a\nb\\c'] } }),
};

/** Its texts may have thousands of characters. */
export const address = object({ at: { type: 'string', format: 'uri' } });

const ajv = formats(new Ajv({ strict: false, allErrors: true, validateFormats: true }));
const judges = new Map(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));

/** The value that a text is, once it is known to be valid under the schema. */
export function valid(name, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    assert.fail(`${name}: this is not JSON: ${text}`);
  }
  const judge = judges.get(name);
  assert.ok(judge(value), `${name}: ${text} is not valid: ${ajv.errorsText(judge.errors)}`);
  return value;
}

/** The same for a schema that is not in the list. */
export function validUnder(schema, text) {
  const value = typeof text === 'string' ? JSON.parse(text) : text;
  assert.ok(ajv.validate(schema, value), `${JSON.stringify(value)} is not valid: ${ajv.errorsText()}`);
  return value;
}
