import { describe, expect, it } from 'vitest';
import { History, historyLength } from '../src/live/history';
import { readStats } from '../src/live/stats';
import { bytes, byteRate, duration, milliseconds, percent, significant } from '../src/ui/units';

const base64 = (...values: number[]) => btoa(String.fromCharCode(...values));
const object = (uptime: number, fields: object = {}) => ({ uptime, tokens: { decode_per_second: 3 }, cache: { hits: 0, misses: 0, guesses_useful: 0, guesses_wasted: 0 }, ...fields });

describe('/stats', () => {
  it('is read with care', () => {
    for (const value of [null, 1, 'x', [], {}, { memory: { tiers: [null, 4, { parts: [null] }] }, sessions: [null], heat: 7, drive: [], queue: 'x' }]) {
      const stats = readStats(value);
      expect(stats.uptime).toBe(0);
      expect(stats.drive).toBeNull();
    }
    expect(readStats({ uptime: Number.NaN, drive: { rate: -5, limit: 'fast' } })).toMatchObject({ uptime: 0, drive: { rate: 0, limit: null } });
  });

  it('refuses a map of the wrong size', () => {
    const heat = { layers: 1, experts: 2, data: base64(0, 255), tier: base64(1, 0) };
    expect(readStats({ heat }).heat).toMatchObject({ layers: 1, experts: 2, firstLayer: 0 });
    for (const wrong of [{ data: base64(1) }, { data: '%%%' }, { layers: 1e9, experts: 1e9 }, { layers: 0.5 }, { tier: 5 }]) {
      expect(readStats({ heat: { ...heat, ...wrong } }).heat).toBeNull();
    }
    expect(readStats({}).heat).toBeUndefined();
    expect(readStats({ heat: null }).heat).toBeNull();
  });
});

describe('the history', () => {
  it('makes rates of counters, and gaps where nothing was asked', () => {
    const history = new History();
    const cache = (hits: number, misses: number) => ({ cache: { hits, misses, guesses_useful: 3, guesses_wasted: 1 } });
    for (const [at, hits, misses] of [[1, 10, 10], [2, 40, 20], [3, 40, 20]] as const) history.add(readStats(object(at, cache(hits, misses))));
    expect(history.samples.map(({ hitRate }) => hitRate)).toEqual([null, 0.75, null]);
    expect(history.guessRate).toBe(0.75);
  });

  it('begins again when the server did', () => {
    const history = new History();
    for (const at of [100, 101, 1]) history.add(readStats(object(at)));
    expect(history.samples).toHaveLength(1);
  });

  it('keeps the map if it did not change, and two minutes', () => {
    const history = new History();
    history.add(readStats(object(1, { heat: { layers: 1, experts: 1, data: base64(9), tier: base64(1) } })));
    for (let at = 2; at < 200; at++) history.add(readStats(object(at)));
    expect(history.latest?.heat?.data[0]).toBe(9);
    expect(history.samples).toHaveLength(historyLength);
    history.add(readStats(object(300, { heat: null })));
    expect(history.latest?.heat).toBeNull();
  });
});

describe('units', () => {
  it.each([
    [bytes(0), '0 B'],
    [bytes(999), '999 B'],
    [bytes(43_600_000), '43.6 MB'],
    [bytes(3_741_000_000), '3.74 GB'],
    [bytes(999_900_000), '1.00 GB'],
    [bytes(212e9), '212 GB'],
    [byteRate(6.41e9), '6.41 GB/s'],
    [significant(5.314), '5.31'],
    [significant(1234), '1,234'],
    [percent(0.943), '94 %'],
    [percent(0.0123), '1.2 %'],
    [milliseconds(171), '171 ms'],
    [milliseconds(2340), '2.34 s'],
    [duration(8.2), '8 s'],
    [duration(125), '2 min 5 s'],
    [duration(120), '2 min'],
    [duration(12_000), '3 h 20 min'],
    [duration(360_000), '4 d 4 h'],
  ])('%s', (found, expected) => expect(found).toBe(expected));
});
