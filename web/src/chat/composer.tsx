import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { answering, send, stop } from '../conversation/answering';
import { readAttachments } from '../conversation/attachments';
import type { Attachment } from '../conversation/model';
import { parseTools } from '../conversation/prompt';
import { current, currentId } from '../conversation/store';
import { Icon } from '../ui/icons';
import { notify } from '../ui/notices';
import { sendKey } from '../ui/preferences';
import { show } from '../ui/route';
import { Chips } from './chips';
import { fitHeight, isSendKey } from './typing';

interface Unsent {
  text: string;
  attachments: Attachment[];
}

/** What was written and not sent, by conversation: switching between them loses nothing. */
const unsent = new Map<string, Unsent>();
/** Counts up when files were added from outside (dropped on the page). */
const changed = signal(0);
const nothing: Unsent = { text: '', attachments: [] };
const keyOf = (): string => currentId.value ?? 'draft';

function keep(change: Partial<Unsent>): void {
  unsent.set(keyOf(), { ...(unsent.get(keyOf()) ?? nothing), ...change });
  changed.value++;
}

export async function attach(files: Iterable<File>): Promise<void> {
  const before = (unsent.get(keyOf()) ?? nothing).attachments;
  const { added, problems } = await readAttachments(files, before);
  for (const problem of problems) notify(problem, true);
  if (added.length > 0) keep({ attachments: [...(unsent.get(keyOf()) ?? nothing).attachments, ...added] });
}

export function Composer(): JSX.Element {
  changed.value;
  const { text, attachments } = unsent.get(keyOf()) ?? nothing;
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const [composing, setComposing] = useState(false);
  const busy = answering.value.has(current.value.conversation.id);
  const sendable = (text.trim() !== '' || attachments.length > 0) && !busy;
  useEffect(() => fitHeight(area.current), [text]);
  useEffect(() => {
    if (!matchMedia('(pointer: coarse)').matches) area.current?.focus({ preventScroll: true });
  }, []);

  const submit = (): void => {
    if (!sendable) return;
    try {
      parseTools(current.value.conversation.settings.tools);
    } catch (error) {
      notify((error as Error).message, true);
      return;
    }
    unsent.delete(keyOf());
    const id = send({ content: text, attachments });
    changed.value++;
    if (currentId.value !== id) show(id);
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Chips attachments={attachments} onRemove={(at) => keep({ attachments: attachments.filter((_, other) => other !== at) })} />
      <textarea
        id="composer"
        ref={area}
        rows={1}
        aria-label="Message"
        placeholder="Write a message"
        value={text}
        onInput={(event) => keep({ text: event.currentTarget.value })}
        onCompositionStart={() => setComposing(true)}
        onCompositionEnd={() => setComposing(false)}
        onPaste={(event) => {
          const files = event.clipboardData?.files;
          if (files?.length) {
            event.preventDefault();
            void attach(files);
          }
        }}
        onKeyDown={(event) => {
          if (!composing && isSendKey(event)) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <div class="composer-row">
        <button type="button" class="plain" aria-label="Attach text files" title="Attach text files" onClick={() => picker.current?.click()}>
          <Icon name="clip" />
        </button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label="Text files"
          onChange={(event) => {
            const { files } = event.currentTarget;
            if (files) void attach([...files]);
            event.currentTarget.value = '';
          }}
        />
        <span class="hint faint">{sendKey.value === 'enter' ? 'Enter sends, Shift+Enter for a new line' : 'Ctrl+Enter sends'}</span>
        {busy ? (
          <button type="button" class="send" aria-label="Stop" title="Stop (Esc)" onClick={() => stop(current.value.conversation.id)}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="send" aria-label="Send" title="Send" disabled={!sendable}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
