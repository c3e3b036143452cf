import { readSettings } from './transfer';
import type { Settings } from './model';

const name = 'sluice.settings';

/** Settings that new conversations start with. */
export function defaultSettings(): Settings {
  try {
    return readSettings(JSON.parse(localStorage.getItem(name) ?? '{}'), 'settings');
  } catch {
    return {};
  }
}

export function keepDefaultSettings(settings: Settings): void {
  localStorage.setItem(name, JSON.stringify(settings));
}
