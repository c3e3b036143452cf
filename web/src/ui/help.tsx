import type { JSX } from 'preact';
import { Dialog } from './dialog';
import { openDialog, shortcuts } from './keyboard';
import { sendKey, singleKeys } from './preferences';

export function HelpDialog(): JSX.Element {
  const enter = sendKey.value === 'enter';
  const send = enter
    ? [{ keys: 'Enter', what: 'Send (Ctrl+Enter too)' }, { keys: 'Shift+Enter', what: 'New line' }]
    : [{ keys: 'Ctrl+Enter', what: 'Send' }, { keys: 'Enter', what: 'New line' }];
  return (
    <Dialog title="Keyboard" onClose={() => (openDialog.value = null)}>
      <dl class="keys">
        {[...send, ...shortcuts].map(({ keys, what }) => (
          <div key={keys}>
            <dt>
              {keys.split('+').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={enter} onChange={() => (sendKey.value = enter ? 'ctrl-enter' : 'enter')} /> Enter sends
      </label>
      <label class="check">
        <input type="checkbox" checked={singleKeys.value === 'on'} onChange={() => (singleKeys.value = singleKeys.value === 'on' ? 'off' : 'on')} /> Shortcuts of a single key
      </label>
    </Dialog>
  );
}
