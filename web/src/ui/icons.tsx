import type { JSX } from 'preact';

const shapes = {
  menu: 'M4 7h16M4 12h16M4 17h10',
  plus: 'M12 5v14M5 12h14',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4',
  send: 'M12 20V5M5.500 11.500 12 5l6.500 6.500',
  stop: 'M7 7h10v10H7z',
  clip: 'M19.500 11.500l-8 8a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700l-8.500 8.400a1.600 1.600 0 0 1-2.300-2.300l7.600-7.500',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  check: 'M5 12.500l4.500 4.500L19 7',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13.500 6.500l4 4',
  again: 'M20 5v5h-5M19.600 10a8 8 0 1 0 .4 4',
  left: 'M14.500 6l-6 6 6 6',
  right: 'M9.500 6l6 6-6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  close: 'M6 6l12 12M18 6L6 18',
  more: 'M5.500 12h.01M12 12h.01M18.500 12h.01',
  sliders: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z',
  system: 'M3 5h18v11H3zM9 20h6M12 16v4',
  help: 'M9 9.200a3 3 0 1 1 4.300 2.700c-.9.500-1.300 1-1.300 2.100M12 17.500h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z',
  upload: 'M12 15V4M7 9l5-5 5 5M4 19h16',
  download: 'M12 4v11M7 10l5 5 5-5M4 19h16',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  tool: 'M14.500 5.500a4.500 4.500 0 0 0-5.800 5.800L4 16l4 4 4.700-4.700a4.500 4.500 0 0 0 5.800-5.800L15.500 12.500l-3-1-1-3z',
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  );
}

/** Water through an opening. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M6 11c3.300-3 6.700-3 10 0s6.700 3 10 0M6 21c3.300-3 6.700-3 10 0s6.700 3 10 0" />
    </svg>
  );
}
