import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Dialog } from './dialog';

export function KeyDialog({ answer }: { answer: (key: string | null) => void }): JSX.Element {
  const [key, setKey] = useState('');
  return (
    <Dialog title="API key" onClose={() => answer(null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim()) answer(key.trim());
        }}
      >
        <p>This server asks for the key it was started with. It is kept in this browser and sent to this server only.</p>
        <label class="field">
          <span>Key</span>
          <input type="password" autocomplete="off" value={key} onInput={(event) => setKey(event.currentTarget.value)} autofocus />
        </label>
        <div class="buttons">
          <button type="button" onClick={() => answer(null)}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!key.trim()}>
            Continue
          </button>
        </div>
      </form>
    </Dialog>
  );
}
