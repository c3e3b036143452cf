// Figures as people read them: decimal units and three digits, as in the program's own output.

export function significant(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return Math.round(value).toLocaleString('en');
  if (size >= 9.995) return value.toFixed(1);
  return size === 0 ? '0' : value.toFixed(2);
}

function scaled(value: number, units: string[]): string {
  let at = 0;
  while (Math.abs(value) >= 999.5 && at + 1 < units.length) {
    value /= 1000;
    at++;
  }
  return `${at === 0 ? Math.round(value) : significant(value)} ${units[at]}`;
}

export const bytes = (value: number): string => scaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
export const byteRate = (value: number): string => `${bytes(value)}/s`;
export const count = (value: number): string => Math.round(value).toLocaleString('en');
export const percent = (part: number): string => `${(part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`;

export function milliseconds(value: number): string {
  return value >= 999.5 ? `${significant(value / 1000)} s` : `${significant(value)} ms`;
}

/** "8 s", "2 min 5 s", "3 h 20 min", "4 d 2 h" */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
  const hours = Math.floor(s / 3600);
  if (hours < 48) return `${hours} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function thoughtFor(ms: number): string {
  return ms < 1000 ? 'less than a second' : duration(ms / 1000);
}
