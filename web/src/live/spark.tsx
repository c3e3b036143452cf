import type { JSX } from 'preact';
import { historyLength } from './history';

interface Props {
  values: (number | null)[];
  /** The top of the scale; the greatest value if it is not given. */
  top?: number;
  /** A line across, for a limit. */
  limit?: number | null;
}

const width = 240;
const height = 56;

/** Two minutes as a line, the newest at the right edge. Gaps stay gaps. */
export function Spark({ values, top, limit }: Props): JSX.Element {
  const greatest = Math.max(top ?? 0, limit ?? 0, ...values.map((value) => value ?? 0)) || 1;
  const x = (at: number): number => width - (values.length - 1 - at) * (width / (historyLength - 1));
  const y = (value: number): number => height - 2 - (value / greatest) * (height - 6);
  const runs: string[][] = [[]];
  values.forEach((value, at) => {
    if (value === null) runs.push([]);
    else runs.at(-1)!.push(`${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
  });
  const drawn = runs.filter((run) => run.length > 0);
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {drawn.map((run, at) => (
        <path key={`area ${at}`} class="area" d={`M${run[0]!.split(' ')[0]} ${height}L${run.join('L')}L${run.at(-1)!.split(' ')[0]} ${height}Z`} />
      ))}
      {limit ? <path class="limit" d={`M0 ${y(limit)}H${width}`} /> : null}
      {drawn.map((run, at) => (
        <path key={`line ${at}`} class="line" d={run.length > 1 ? `M${run.join('L')}` : `M${run[0]}h0.01`} />
      ))}
    </svg>
  );
}
