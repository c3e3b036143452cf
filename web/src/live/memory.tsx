import type { JSX } from 'preact';
import { bytes } from '../ui/units';
import { Legend, Stacked, type Segment } from './stacked';
import type { Stats, Tier } from './stats';

const labels: Record<string, string> = { dense: 'Dense weights', experts: 'Experts', kv: 'KV cache', scratch: 'Scratch', program: 'Program' };

function segmentsOf(tier: Tier): Segment[] {
  return tier.parts.map(({ name, bytes: value }) => ({ name, label: labels[name] ?? name, value, shown: bytes(value) }));
}

/** Each tier is drawn to its own scale: beside a drive of hundreds of gigabytes, memory would be a thin line. */
function TierBar({ tier }: { tier: Tier }): JSX.Element {
  const used = tier.parts.reduce((sum, part) => sum + part.bytes, 0);
  const whole = Math.max(used, tier.capacity ?? 0);
  return (
    <div class="tier">
      <div class="tier-head">
        <strong>{tier.name}</strong>
        <span class="figures">
          {bytes(used)}
          {tier.capacity !== null && <span class="faint"> of {bytes(tier.capacity)}</span>}
        </span>
      </div>
      <Stacked segments={segmentsOf(tier)} whole={whole} label={tier.name} />
      <Legend segments={segmentsOf(tier)} />
    </div>
  );
}

export function Memory({ stats }: { stats: Stats }): JSX.Element {
  return (
    <>
      {stats.tiers.map((tier) => (
        <TierBar key={tier.name} tier={tier} />
      ))}
    </>
  );
}
