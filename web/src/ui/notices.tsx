import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { announcement } from './announce';
import { Icon } from './icons';

interface Notice {
  id: number;
  text: string;
  problem: boolean;
}

const notices = signal<Notice[]>([]);
let nextId = 1;

export function notify(text: string, problem = false): void {
  const id = nextId++;
  notices.value = [...notices.value, { id, text, problem }];
  setTimeout(() => dismiss(id), problem ? 12_000 : 3_000);
}

function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function Notices(): JSX.Element {
  return (
    <>
      <div class="hidden" role="status">
        {announcement.value}
      </div>
      <div class="notices" role="status">
        {notices.value.map(({ id, text, problem }) => (
          <div key={id} class={problem ? 'notice problem' : 'notice'}>
            <span>{text}</span>
            <button type="button" class="plain small" aria-label="Dismiss" onClick={() => dismiss(id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
