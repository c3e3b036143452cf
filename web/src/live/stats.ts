// What /stats sends (docs/stats.md), read with care: what is missing or of a wrong type is null.

export interface Part {
  name: string;
  bytes: number;
}
export interface Tier {
  name: string;
  capacity: number | null;
  parts: Part[];
}
export interface CacheCounts {
  hits: number;
  misses: number;
  guesses_useful: number;
  guesses_wasted: number;
}
export interface SessionStats {
  id: string;
  state: string;
  prompt_tokens: number;
  processed: number | null;
  generated: number;
  tokens_per_second: number | null;
}
/** Rows are layers, columns experts. */
export interface Heat {
  layers: number;
  experts: number;
  firstLayer: number;
  data: Uint8Array;
  tier: Uint8Array;
}
export interface Stats {
  uptime: number;
  rss: number | null;
  model: { name: string; architecture: string; layers: number; experts: number; experts_used: number; bytes: number } | null;
  budget: number | null;
  tiers: Tier[];
  cache: CacheCounts | null;
  drive: { bytes_read: number; rate: number; limit: number | null } | null;
  tokens: { prefill_total: number; decode_total: number; prefill_per_second: number; decode_per_second: number };
  time: { drive: number; compute: number; wait: number } | null;
  queue: { active: number; waiting: number; limit: number | null };
  sessions: SessionStats[];
  /** `undefined`: as before. */
  heat: Heat | null | undefined;
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const object = (value: unknown): Json => (isObject(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const figure = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const amount = (value: unknown): number => Math.max(0, figure(value) ?? 0);

/** The named numbers of an object, 0 where they are missing; null if there is no object. */
function amounts<Name extends string>(value: unknown, ...names: Name[]): Record<Name, number> | null {
  if (!isObject(value)) return null;
  return Object.fromEntries(names.map((name) => [name, amount(value[name])])) as Record<Name, number>;
}

export function readStats(value: unknown): Stats {
  const fields = object(value);
  const memory = object(fields['memory']);
  const drive = amounts(fields['drive'], 'bytes_read', 'rate');
  const queue = object(fields['queue']);
  return {
    uptime: amount(fields['uptime']),
    rss: figure(fields['rss']),
    model: readModel(fields['model']),
    budget: figure(memory['budget']),
    tiers: list(memory['tiers']).map(readTier),
    cache: amounts(fields['cache'], 'hits', 'misses', 'guesses_useful', 'guesses_wasted'),
    drive: drive && { ...drive, limit: figure(object(fields['drive'])['limit']) },
    tokens: amounts(object(fields['tokens']), 'prefill_total', 'decode_total', 'prefill_per_second', 'decode_per_second')!,
    time: amounts(fields['time_per_token'], 'drive', 'compute', 'wait'),
    queue: { active: amount(queue['active']), waiting: amount(queue['waiting']), limit: figure(queue['limit']) },
    sessions: list(fields['sessions']).map(readSession),
    heat: fields['heat'] === undefined ? undefined : readHeat(fields['heat']),
  };
}

function readModel(value: unknown): Stats['model'] {
  const figures = amounts(value, 'layers', 'experts', 'experts_used', 'bytes');
  return figures && { name: text(object(value)['name']), architecture: text(object(value)['architecture']), ...figures };
}

function readTier(value: unknown): Tier {
  const { name, capacity, parts } = object(value);
  return { name: text(name), capacity: figure(capacity), parts: list(parts).map((part) => ({ name: text(object(part)['name']), bytes: amount(object(part)['bytes']) })) };
}

function readSession(value: unknown): SessionStats {
  const fields = object(value);
  return {
    id: text(fields['id']),
    state: text(fields['state']),
    prompt_tokens: amount(fields['prompt_tokens']),
    processed: figure(fields['processed']),
    generated: amount(fields['generated']),
    tokens_per_second: figure(fields['tokens_per_second']),
  };
}

const mapLimit = 4_000_000;

function readHeat(value: unknown): Heat | null {
  const fields = object(value);
  const layers = amount(fields['layers']);
  const experts = amount(fields['experts']);
  if (!Number.isInteger(layers) || !Number.isInteger(experts) || layers * experts === 0 || layers * experts > mapLimit) return null;
  const data = readBytes(fields['data'], layers * experts);
  const tier = readBytes(fields['tier'], layers * experts);
  return data && tier && { layers, experts, firstLayer: amount(fields['first_layer']), data, tier };
}

function readBytes(value: unknown, size: number): Uint8Array | null {
  try {
    const raw = atob(text(value));
    return raw.length === size ? Uint8Array.from(raw, (character) => character.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}
