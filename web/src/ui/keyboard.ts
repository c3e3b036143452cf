import { signal } from '@preact/signals';
import { stop } from '../conversation/answering';
import { currentId } from '../conversation/store';
import { singleKeys } from './preferences';
import { conversationLink, focusComposer, startNew, view } from './route';

export const openDialog = signal<'help' | 'settings' | null>(null);
export const drawerOpen = signal(false);

/** The list that ? shows, and what happens. */
export const shortcuts: { keys: string; what: string }[] = [
  { keys: 'Ctrl+K', what: 'New conversation' },
  { keys: 'Esc', what: 'Stop the answer' },
  { keys: '/', what: 'Write a message' },
  { keys: 'S', what: 'Search conversations' },
  { keys: 'L', what: 'Live view and back' },
  { keys: ',', what: 'Settings of the conversation' },
  { keys: '?', what: 'This list' },
];

const single: Record<string, () => void> = {
  '/': () => (view.value === 'chat' ? focusComposer() : toChat()),
  s: () => {
    drawerOpen.value = true;
    requestAnimationFrame(() => document.querySelector<HTMLInputElement>('#search')?.focus());
  },
  l: () => (view.value === 'live' ? toChat() : (location.hash = '#/live')),
  ',': () => (openDialog.value = 'settings'),
  '?': () => (openDialog.value = 'help'),
};

function toChat(): void {
  location.hash = conversationLink(currentId.value);
  setTimeout(focusComposer, 50);
}

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return;
    if (event.key === 'k' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      startNew();
    } else if (event.key === 'Escape') {
      if (drawerOpen.value) drawerOpen.value = false;
      else stop();
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey && singleKeys.value === 'on' && !isTyping(event.target)) {
      const act = single[event.key.toLowerCase()];
      if (act === undefined) return;
      event.preventDefault();
      act();
    }
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
