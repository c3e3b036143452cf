import type { Stats } from './stats';

/** One second, in rates. `null`: nothing to say about it. */
export interface Sample {
  at: number;
  decode: number;
  prefill: number;
  drive: number | null;
  hitRate: number | null;
}

export const historyLength = 120;

/** The page's memory of the last two minutes. Counters since the start become shares of an interval here. */
export class History {
  samples: Sample[] = [];
  latest: Stats | null = null;
  /** Share of guesses that came true, since the start. */
  guessRate: number | null = null;

  add(stats: Stats): void {
    const before = this.latest;
    const restarted = before !== null && stats.uptime < before.uptime;
    if (restarted) this.samples = [];
    if (stats.heat === undefined) stats.heat = restarted ? null : before?.heat;
    this.samples = [
      ...this.samples,
      {
        at: stats.uptime,
        decode: stats.tokens.decode_per_second,
        prefill: stats.tokens.prefill_per_second,
        drive: stats.drive?.rate ?? null,
        hitRate: restarted ? null : hitRate(before, stats),
      },
    ].slice(-historyLength);
    const { guesses_useful: useful, guesses_wasted: wasted } = stats.cache ?? { guesses_useful: 0, guesses_wasted: 0 };
    this.guessRate = useful + wasted > 0 ? useful / (useful + wasted) : null;
    this.latest = stats;
  }
}

function hitRate(before: Stats | null, now: Stats): number | null {
  if (!before?.cache || !now.cache) return null;
  const hits = now.cache.hits - before.cache.hits;
  const asked = hits + now.cache.misses - before.cache.misses;
  return asked > 0 && hits >= 0 ? hits / asked : null;
}
