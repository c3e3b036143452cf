import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Attachment } from '../conversation/model';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icons';
import { bytes } from '../ui/units';

interface Props {
  attachments: Attachment[];
  onRemove?: (at: number) => void;
}

/** Attached files; a click shows what is in them. */
export function Chips({ attachments, onRemove }: Props): JSX.Element | null {
  const [shown, setShown] = useState<Attachment | null>(null);
  if (attachments.length === 0) return null;
  return (
    <>
      <ul class="chips" aria-label="Attached files">
        {attachments.map((attachment, at) => (
          <li key={`${at} ${attachment.name}`} class="chip">
            <button type="button" class="plain" title={`Show ${attachment.name}`} onClick={() => setShown(attachment)}>
              <Icon name="file" />
              <span class="chip-name">{attachment.name}</span>
              <span class="faint">{bytes(attachment.text.length)}</span>
            </button>
            {onRemove && (
              <button type="button" class="plain small" aria-label={`Remove ${attachment.name}`} onClick={() => onRemove(at)}>
                <Icon name="close" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {shown && (
        <Dialog title={shown.name} onClose={() => setShown(null)}>
          <pre class="file-text" tabIndex={0}>
            {shown.text.slice(0, 200_000)}
          </pre>
        </Dialog>
      )}
    </>
  );
}
