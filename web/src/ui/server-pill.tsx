import type { JSX } from 'preact';
import { defaultModel, serverState } from '../api/server';
import { current } from '../conversation/store';
import { percent } from './units';

function words(): { kind: string; text: string } {
  const state = serverState.value;
  switch (state.kind) {
    case 'ready':
      return { kind: 'ready', text: current.value.conversation.settings.model ?? (defaultModel.value || 'Ready') };
    case 'loading':
      return { kind: 'loading', text: state.part === null ? `${state.stage}…` : `${state.stage} ${percent(state.part)}` };
    case 'unreachable':
      return { kind: 'unreachable', text: 'No answer from the server' };
    case 'unknown':
      return { kind: 'loading', text: 'Connecting…' };
  }
}

/** Which model answers, or why none does. */
export function ServerPill(): JSX.Element {
  const { kind, text } = words();
  return (
    <div class="pill" data-kind={kind} title={text} role="status">
      <span class="dot" />
      <span class="pill-text">{text}</span>
    </div>
  );
}
