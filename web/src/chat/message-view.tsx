import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { regenerate } from '../conversation/answering';
import type { Message } from '../conversation/model';
import { showBranch } from '../conversation/store';
import { copyText } from '../ui/files';
import { Icon, type IconName } from '../ui/icons';
import { memo } from '../ui/memo';
import { count, significant } from '../ui/units';
import { Chips } from './chips';
import { EditMessage } from './edit-message';
import { MarkdownView } from './markdown-view';
import { Thinking } from './thinking';
import { ToolCalls, ToolResult } from './tool-calls';
import { Waiting } from './waiting';

interface Props {
  message: Message;
  /** The ids of this message and its alternatives, joined: a string, so that it compares by value. */
  siblings: string;
  last: boolean;
}

function Action({ icon, label, act }: { icon: IconName; label: string; act: () => void }): JSX.Element {
  return (
    <button type="button" class="plain small" aria-label={label} title={label} onClick={act}>
      <Icon name={icon} />
    </button>
  );
}

function CopyAction({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    if (!(await copyText(text))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return <Action icon={copied ? 'check' : 'copy'} label={copied ? 'Copied' : 'Copy message'} act={() => void copy()} />;
}

function Branches({ message, siblings }: { message: Message; siblings: string }): JSX.Element | null {
  const ids = siblings.split(' ');
  const at = ids.indexOf(message.id);
  if (ids.length < 2) return null;
  const go = (to: number): void => showBranch(message.conversation, ids[to]!);
  return (
    <span class="branches" role="group" aria-label="Versions">
      <button type="button" class="plain small" aria-label="Previous version" disabled={at === 0} onClick={() => go(at - 1)}>
        <Icon name="left" />
      </button>
      <span class="figures" aria-label={`Version ${at + 1} of ${ids.length}`} role="img">
        {at + 1}/{ids.length}
      </span>
      <button type="button" class="plain small" aria-label="Next version" disabled={at === ids.length - 1} onClick={() => go(at + 1)}>
        <Icon name="right" />
      </button>
    </span>
  );
}

function UserMessage({ message, siblings }: Props): JSX.Element {
  const [editing, setEditing] = useState(false);
  if (editing) return <EditMessage message={message} onDone={() => setEditing(false)} />;
  return (
    <>
      <h3 class="hidden">You</h3>
      <div class="said">
        <Chips attachments={message.attachments ?? []} />
        {message.content && <div class="said-text">{message.content}</div>}
      </div>
      <div class="actions">
        <Branches message={message} siblings={siblings} />
        <CopyAction text={message.content} />
        <Action icon="edit" label="Edit and send again" act={() => setEditing(true)} />
      </div>
    </>
  );
}

const endings: Partial<Record<NonNullable<Message['state']>, string>> = {
  stopped: 'Stopped.',
  length: 'The answer reached its greatest length.',
  interrupted: 'Interrupted: the page was closed or reloaded while the answer was coming.',
};

function Figures({ message }: { message: Message }): JSX.Element {
  const { model, completionTokens, tokensPerSecond } = message;
  const parts = [
    model,
    !completionTokens ? '' : `${count(completionTokens)} tokens`,
    tokensPerSecond === undefined ? '' : `${significant(tokensPerSecond)}/s`,
  ].filter(Boolean);
  return <span class="faint figures message-figures">{parts.join(' · ')}</span>;
}

function AssistantMessage({ message, siblings, last }: Props): JSX.Element {
  const streaming = message.state === 'streaming';
  const empty = !message.content && !message.reasoning && !message.toolCalls?.length;
  const ending = message.state ? endings[message.state] : undefined;
  return (
    <>
      <h3 class="hidden">Answer</h3>
      {message.reasoning && (
        <Thinking text={message.reasoning} ms={message.reasoningMs ?? 0} ongoing={streaming && !message.content && !message.toolCalls?.length} />
      )}
      {message.content && <MarkdownView text={message.content} />}
      {streaming && empty && <Waiting conversation={message.conversation} />}
      {message.toolCalls && <ToolCalls message={message} open={last && !streaming} />}
      {ending && <p class="ending faint">{ending}</p>}
      {message.error && (
        <div class="error" role="alert">
          <p>{message.error}</p>
          <button type="button" onClick={() => regenerate(message)}>
            Try again
          </button>
        </div>
      )}
      {!streaming && (
        <div class="actions">
          <Branches message={message} siblings={siblings} />
          {message.content && <CopyAction text={message.content} />}
          <Action icon="again" label="Answer again" act={() => regenerate(message)} />
          <Figures message={message} />
        </div>
      )}
    </>
  );
}

export const MessageView = memo(function MessageView(props: Props): JSX.Element {
  const { message, last } = props;
  return (
    <article class={`message from-${message.role}`} data-last={last} data-state={message.state ?? 'done'}>
      {message.role === 'user' && <UserMessage {...props} />}
      {message.role === 'assistant' && <AssistantMessage {...props} />}
      {message.role === 'tool' && <ToolResult message={message} />}
    </article>
  );
});
