import { batch, signal } from '@preact/signals';
import { currentId, openConversation, startDraft } from '../conversation/store';

export type View = 'chat' | 'live';
export const view = signal<View>('chat');

export const conversationLink = (id: string | null): string => (id === null ? '#/' : `#/c/${id}`);

/** The address names what is shown, so that a reload and the back button do what one expects. */
export async function followAddress(): Promise<void> {
  const [, kind, id] = location.hash.split('/');
  if (kind === 'live') {
    view.value = 'live';
    return;
  }
  if (kind === 'c' && id !== undefined && (await openConversation(id))) {
    batch(() => {
      currentId.value = id;
      view.value = 'chat';
    });
    return;
  }
  if (location.hash !== '' && location.hash !== '#/') history.replaceState(null, '', '#/');
  batch(() => {
    if (currentId.value !== null) startDraft();
    currentId.value = null;
    view.value = 'chat';
  });
}

export function show(id: string | null): void {
  location.hash = conversationLink(id);
}

export function startNew(): void {
  batch(() => {
    startDraft();
    currentId.value = null;
    view.value = 'chat';
  });
  if (location.hash !== '#/') location.hash = '#/';
  requestAnimationFrame(focusComposer);
}

export function focusComposer(): void {
  document.querySelector<HTMLTextAreaElement>('#composer')?.focus();
}
