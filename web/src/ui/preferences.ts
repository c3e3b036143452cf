import { effect, signal, type Signal } from '@preact/signals';

/** A value that the browser remembers, if it remembers anything. */
function remembered<T extends string>(name: string, values: readonly T[], fallback: T): Signal<T> {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(name);
  } catch {
    // Private windows may forbid it.
  }
  const value = signal<T>(values.find((known) => known === stored) ?? fallback);
  effect(() => {
    try {
      localStorage.setItem(name, value.value);
    } catch {
      // As above.
    }
  });
  return value;
}

export const themes = ['system', 'light', 'dark'] as const;
export const theme = remembered('sluice.theme', themes, 'system');
effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
});

export const sendKey = remembered('sluice.send', ['enter', 'ctrl-enter'], 'enter');
/** Shortcuts of a single letter can be in the way of speech input. */
export const singleKeys = remembered('sluice.single-keys', ['on', 'off'], 'on');
export const sidebar = remembered('sluice.sidebar', ['open', 'closed'], 'open');
