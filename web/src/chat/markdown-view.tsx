import type { JSX } from 'preact';
import { renderBlocks } from '../markdown/markdown';
import { copyText } from '../ui/files';
import { memo } from '../ui/memo';

const Block = memo(function Block({ html }: { html: string }): JSX.Element {
  return <div dangerouslySetInnerHTML={{ __html: html }} />;
});

async function copyCode(event: MouseEvent): Promise<void> {
  const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>('.code-copy') : null;
  const code = button?.closest('.code')?.querySelector('pre')?.textContent;
  if (button && code && (await copyText(code))) {
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  }
}

export const MarkdownView = memo(function MarkdownView({ text }: { text: string }): JSX.Element {
  return (
    <div class="prose" onClick={(event) => void copyCode(event)}>
      {renderBlocks(text).map((html, at) => (
        <Block key={at} html={html} />
      ))}
    </div>
  );
});
