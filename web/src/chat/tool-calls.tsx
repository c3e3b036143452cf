import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { sendToolResults } from '../conversation/answering';
import type { Message, ToolCall } from '../conversation/model';
import { Icon } from '../ui/icons';
import { MarkdownView } from './markdown-view';
import { fenceFor } from '../conversation/prompt';

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

function fenced(text: string, language: string): string {
  const fence = fenceFor(text);
  return `${fence}${language}\n${text}\n${fence}`;
}

function Call({ call }: { call: ToolCall }): JSX.Element {
  return (
    <>
      <div class="tool-name">
        <Icon name="tool" />
        <span>
          Calls <code>{call.name || '…'}</code>
        </span>
      </div>
      <MarkdownView text={fenced(pretty(call.arguments), 'json')} />
    </>
  );
}

/** What the model wants done. The page has no tools of its own: whoever has, pastes what they say. */
export function ToolCalls({ message, open }: { message: Message; open: boolean }): JSX.Element {
  const calls = message.toolCalls ?? [];
  const [results, setResults] = useState<string[]>([]);
  const complete = calls.every((_, at) => results[at]?.trim());
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        if (complete) sendToolResults(message, results);
      }}
    >
      {calls.map((call, at) => (
        <section key={call.id} class="tool" aria-label={`Tool call ${call.name}`}>
          <Call call={call} />
          {open && (
            <label class="field">
              <span>Result</span>
              <textarea
                rows={2}
                class="mono"
                placeholder="Paste what the tool returned"
                value={results[at] ?? ''}
                onInput={(event) => {
                  const next = [...results];
                  next[at] = event.currentTarget.value;
                  setResults(next);
                }}
              />
            </label>
          )}
        </section>
      ))}
      {open && (
        <button type="submit" class="primary" disabled={!complete}>
          {calls.length > 1 ? 'Send results' : 'Send result'}
        </button>
      )}
    </form>
  );
}

export function ToolResult({ message }: { message: Message }): JSX.Element {
  return (
    <details class="tool result">
      <summary>
        <Icon name="right" /> Tool result
      </summary>
      <MarkdownView text={fenced(message.content, 'json')} />
    </details>
  );
}
