import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { serverState } from '../api/server';
import { answering } from '../conversation/answering';
import { count, duration, percent } from '../ui/units';

/** Before the first token: in the queue, or reading the prompt, and how far. */
export function Waiting({ conversation }: { conversation: string }): JSX.Element {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const run = answering.value.get(conversation);
  const seconds = run ? Math.round((Date.now() - run.started) / 1000) : 0;
  const { processed, total, waiting } = run?.progress ?? {};
  const state = serverState.value;
  let words = 'Waiting for the first token';
  let part: number | null = null;
  if (total !== undefined && processed !== undefined && total > 0) {
    part = Math.min(1, processed / total);
    words = `Reading the prompt: ${count(processed)} of ${count(total)} tokens, ${percent(part)}`;
  } else if (waiting !== undefined && waiting > 0) words = waiting === 1 ? 'One request is before this one' : `${waiting} requests are before this one`;
  else if (state.kind === 'loading') words = state.part === null ? `The server is ${state.stage}` : `The server is ${state.stage}, ${percent(state.part)}`;
  return (
    <div class="waiting">
      <span class="shimmer">{words}</span>
      {seconds > 2 && <span class="faint figures"> · {duration(seconds)}</span>}
      {part !== null && <progress value={part} max={1} aria-label="Prompt read" />}
    </div>
  );
}
