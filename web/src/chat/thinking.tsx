import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Icon } from '../ui/icons';
import { duration, thoughtFor } from '../ui/units';
import { MarkdownView } from './markdown-view';

interface Props {
  text: string;
  ms: number;
  ongoing: boolean;
}

const tailLength = 600;

/** Folded. While the model thinks, the last lines pass by. */
export function Thinking({ text, ms, ongoing }: Props): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <div class="thinking">
      <button type="button" class="plain fold" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="right" />
        {ongoing ? <span class="shimmer">Thinking… {duration(ms / 1000)}</span> : `Thought for ${thoughtFor(ms)}`}
      </button>
      {open && (
        <div class="thoughts">
          <MarkdownView text={text} />
        </div>
      )}
      {!open && ongoing && (
        <div class="passing" aria-hidden="true">
          <div>{text.slice(-tailLength)}</div>
        </div>
      )}
    </div>
  );
}
