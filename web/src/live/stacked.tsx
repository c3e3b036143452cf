import type { JSX } from 'preact';

export interface Segment {
  name: string;
  label: string;
  value: number;
  shown: string;
}

/** A bar of parts. `whole` is the bar's full width; what is left of it stays empty. */
export function Stacked({ segments, whole, label }: { segments: Segment[]; whole: number; label: string }): JSX.Element {
  const words = segments.map((segment) => `${segment.label} ${segment.shown}`).join(', ');
  return (
    <div class="stacked" role="img" aria-label={`${label}: ${words}`}>
      {segments
        .filter(({ value }) => value > 0)
        .map(({ name, label: part, value, shown }) => (
          <div key={name} data-part={name} style={{ width: `${(100 * value) / Math.max(whole, 1e-9)}%` }} title={`${part}: ${shown}`} />
        ))}
    </div>
  );
}

export function Legend({ segments }: { segments: Segment[] }): JSX.Element {
  return (
    <ul class="legend">
      {segments.map(({ name, label, shown }) => (
        <li key={name}>
          <i data-part={name} /> {label} {shown && <span class="figures">{shown}</span>}
        </li>
      ))}
    </ul>
  );
}
