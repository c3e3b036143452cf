import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons';

export interface MenuItem {
  label: string;
  icon: IconName;
  act: () => void;
  danger?: boolean;
}

interface Props {
  label: string;
  items: MenuItem[];
  children: ComponentChildren;
}

/** A button with a list of actions. The list is placed in the window, so that a scrolling parent does not cut it. */
export function Menu({ label, items, children }: Props): JSX.Element {
  const [place, setPlace] = useState<{ top: number; left: number } | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (giveFocusBack: boolean): void => {
    setPlace(null);
    if (giveFocusBack) button.current?.focus();
  };
  useEffect(() => {
    if (place === null) return;
    list.current?.querySelector('button')?.focus();
    const outside = (event: Event): void => {
      if (event.target instanceof Node && !list.current?.contains(event.target) && !button.current?.contains(event.target)) close(false);
    };
    document.addEventListener('pointerdown', outside);
    window.addEventListener('resize', outside);
    return () => {
      document.removeEventListener('pointerdown', outside);
      window.removeEventListener('resize', outside);
    };
  }, [place]);
  const open = (): void => {
    const { bottom, top, right } = button.current!.getBoundingClientRect();
    const height = items.length * 38 + 14;
    setPlace({ top: bottom + height > innerHeight ? Math.max(8, top - height) : bottom + 4, left: Math.max(8, Math.min(right - 190, innerWidth - 200)) });
  };
  const move = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      close(true);
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[(at + step + buttons.length) % buttons.length]?.focus();
  };
  return (
    <>
      <button ref={button} type="button" class="plain" aria-label={label} title={label} aria-haspopup="menu" aria-expanded={place !== null} onClick={() => (place ? close(false) : open())}>
        {children}
      </button>
      {place && (
        <div ref={list} class="menu" role="menu" aria-label={label} style={{ top: `${place.top}px`, left: `${place.left}px` }} onKeyDown={move}>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              class={item.danger ? 'danger' : ''}
              onClick={() => {
                close(true);
                item.act();
              }}
            >
              <Icon name={item.icon} /> {item.label}
            </button>
          ))}
        </div>
      )}
    </>
  );
}
