import { signal } from '@preact/signals';

/** What a screen reader is told. Answers themselves are not read out word by word; their end is. */
export const announcement = signal('');

export function announce(sentence: string): void {
  // The same sentence again is news only if the region changes in between.
  announcement.value = '';
  setTimeout(() => (announcement.value = sentence), 30);
}
