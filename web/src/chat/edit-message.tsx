import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { editAndResend } from '../conversation/answering';
import type { Message } from '../conversation/model';
import { fitHeight, isSendKey } from './typing';

export function EditMessage({ message, onDone }: { message: Message; onDone: () => void }): JSX.Element {
  const [text, setText] = useState(message.content);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(text.length, text.length);
  }, []);
  useEffect(() => fitHeight(area.current), [text]);
  const send = (): void => {
    if (!text.trim() && !message.attachments?.length) return;
    onDone();
    editAndResend(message, text);
  };
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={area}
        aria-label="Edit the message"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            event.preventDefault();
            onDone();
          } else if (isSendKey(event)) {
            event.preventDefault();
            send();
          }
        }}
      />
      <div class="buttons">
        <button type="button" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" class="primary">
          Send
        </button>
      </div>
    </form>
  );
}
