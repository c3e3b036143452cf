import type { JSX } from 'preact';
import { count, percent, significant } from '../ui/units';
import type { Stats } from './stats';

const states: Record<string, string> = { queued: 'waits', prefill: 'reads the prompt', decode: 'answers' };

export function Sessions({ stats }: { stats: Stats }): JSX.Element {
  const { queue, sessions } = stats;
  const room = queue.limit === null ? '' : ` of ${count(queue.limit)} places`;
  return (
    <>
      <p class="figures">
        {count(queue.active)} computed now, {count(queue.waiting)}
        {room} waiting
      </p>
      {sessions.length > 0 && (
        <div class="table" tabIndex={0} role="region" aria-label="Requests">
          <table class="sessions figures">
            <thead>
              <tr>
                <th>Request</th>
                <th>State</th>
                <th class="right">Prompt</th>
                <th class="right">Answer</th>
                <th class="right">Tokens/s</th>
              </tr>
            </thead>
            <tbody>
              {sessions.map(({ id, state, prompt_tokens, processed, generated, tokens_per_second }) => (
                <tr key={id} data-state={state}>
                  <td class="id">{id}</td>
                  <td>
                    {states[state] ?? state}
                    {state === 'prefill' && processed !== null && prompt_tokens > 0 ? `, ${percent(processed / prompt_tokens)}` : ''}
                  </td>
                  <td class="right">{count(prompt_tokens)}</td>
                  <td class="right">{count(generated)}</td>
                  <td class="right">{tokens_per_second ? significant(tokens_per_second) : '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
