import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { models } from '../api/server';
import { keepDefaultSettings } from '../conversation/defaults';
import { efforts, type Effort, type Settings } from '../conversation/model';
import { parseTools } from '../conversation/prompt';
import { current, updateSettings } from '../conversation/store';
import { Dialog } from '../ui/dialog';
import { openDialog } from '../ui/keyboard';
import { notify } from '../ui/notices';

type NumberName = 'temperature' | 'top_p' | 'top_k' | 'min_p' | 'max_tokens' | 'seed';

const numbers: { name: NumberName; label: string; what: string; min: number; max: number; step: number; empty?: string }[] = [
  { name: 'temperature', label: 'Temperature', what: '0: always the likeliest', min: 0, max: 2, step: 0.05 },
  { name: 'top_p', label: 'Top p', what: 'likeliest, up to a share', min: 0, max: 1, step: 0.01 },
  { name: 'top_k', label: 'Top k', what: 'so many tokens at most', min: 0, max: 1000, step: 1 },
  { name: 'min_p', label: 'Min p', what: 'share of the likeliest', min: 0, max: 1, step: 0.01 },
  { name: 'max_tokens', label: 'Longest answer', what: 'tokens, with thinking', min: 1, max: 10_000_000, step: 1, empty: 'no limit' },
  { name: 'seed', label: 'Seed', what: 'repeats an answer', min: 0, max: 4_294_967_295, step: 1, empty: 'random' },
];

function change(values: Partial<Settings>): void {
  const next = { ...current.value.conversation.settings, ...values };
  updateSettings(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined && value !== '')) as Settings);
}

/** The browser keeps the text while it is written: "0." is not a number yet, and must not be taken away. */
function NumberField({ name, label, what, min, max, step, empty = "the model's" }: (typeof numbers)[number]): JSX.Element {
  const initial = useRef(current.value.conversation.settings[name] ?? '');
  return (
    <label class="field">
      <span>
        {label} <small>{what}</small>
      </span>
      <input
        type="number"
        {...{ min, max, step }}
        placeholder={empty}
        defaultValue={initial.current}
        onInput={(event) => {
          const { valueAsNumber } = event.currentTarget;
          const whole = step === 1 ? Math.round(valueAsNumber) : valueAsNumber;
          change({ [name]: Number.isNaN(whole) ? undefined : Math.min(max, Math.max(min, whole)) });
        }}
        onBlur={(event) => {
          event.currentTarget.value = String(current.value.conversation.settings[name] ?? '');
        }}
      />
    </label>
  );
}

function ToolsField(): JSX.Element {
  const text = current.value.conversation.settings.tools ?? '';
  const [problem, setProblem] = useState('');
  return (
    <label class="field">
      <span>
        Tools <small>a list as in OpenAI's API</small>
      </span>
      <textarea
        rows={4}
        class="mono"
        spellcheck={false}
        value={text}
        placeholder='[{"type": "function", "function": {"name": …}}]'
        aria-invalid={problem !== ''}
        onInput={(event) => {
          const { value } = event.currentTarget;
          try {
            parseTools(value);
            setProblem('');
          } catch (error) {
            setProblem((error as Error).message);
          }
          change({ tools: value });
        }}
      />
      {problem && <small class="problem" role="alert">{problem}</small>}
    </label>
  );
}

export function SettingsDialog(): JSX.Element {
  const { settings } = current.value.conversation;
  const [cleared, setCleared] = useState(0);
  return (
    <Dialog title="This conversation" onClose={() => (openDialog.value = null)} sheet>
      <label class="field">
        <span>System prompt</span>
        <textarea rows={5} value={settings.system ?? ''} placeholder="None" onInput={(event) => change({ system: event.currentTarget.value })} />
      </label>
      {models.value.length > 1 && (
        <label class="field">
          <span>Model</span>
          <select value={settings.model ?? ''} onChange={(event) => change({ model: event.currentTarget.value })}>
            <option value="">The server's</option>
            {models.value.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label class="field">
        <span>Reasoning effort</span>
        <select value={settings.effort ?? ''} onChange={(event) => change({ effort: (event.currentTarget.value || undefined) as Effort | undefined })}>
          <option value="">The model's</option>
          {efforts.map((effort) => (
            <option key={effort} value={effort}>
              {effort}
            </option>
          ))}
        </select>
      </label>
      <div class="pair" key={cleared}>
        {numbers.map((field) => (
          <NumberField key={field.name} {...field} />
        ))}
      </div>
      <ToolsField />
      <p class="faint">What is empty is left to the model's own recommendation.</p>
      <div class="buttons">
        <button
          type="button"
          onClick={() => {
            updateSettings({});
            setCleared(cleared + 1);
          }}
        >
          Clear all
        </button>
        <button
          type="button"
          onClick={() => {
            keepDefaultSettings(settings);
            notify('New conversations start with these settings.');
          }}
        >
          Use for new conversations
        </button>
      </div>
    </Dialog>
  );
}
