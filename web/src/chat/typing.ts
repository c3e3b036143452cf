import { sendKey } from '../ui/preferences';

/** Ctrl+Enter always sends; Enter where the user wants it and there is a keyboard with Shift. */
export function isSendKey(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || event.isComposing || event.shiftKey || event.altKey) return false;
  if (event.ctrlKey || event.metaKey) return true;
  return sendKey.value === 'enter' && !matchMedia('(pointer: coarse)').matches;
}

/** As high as its text; CSS says where it starts to scroll. */
export function fitHeight(area: HTMLTextAreaElement | null): void {
  if (area === null) return;
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
}
