import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { defaultModel } from '../api/server';
import { current, path } from '../conversation/store';
import { children } from '../conversation/tree';
import { Icon, Mark } from '../ui/icons';
import { attach, Composer } from './composer';
import { MessageView } from './message-view';

function Empty(): JSX.Element {
  const here = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname);
  return (
    <div class="empty">
      <Mark />
      <h1>What shall we work on?</h1>
      <p class="faint">
        {defaultModel.value ? `${defaultModel.value} answers. ` : ''}
        {here ? 'Nothing you write leaves this machine.' : `What you write goes to ${location.hostname} and nowhere else.`}
      </p>
    </div>
  );
}

/** Follows the end of the text as long as the reader is there. */
function useFollowing() {
  const scroll = useRef<HTMLDivElement>(null);
  const inside = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const lastTop = useRef(0);
  const [away, setAway] = useState(false);
  const toEnd = (): void => {
    following.current = true;
    setAway(false);
    scroll.current?.scrollTo({ top: scroll.current.scrollHeight });
  };
  const onScroll = (): void => {
    const { scrollHeight, scrollTop, clientHeight } = scroll.current!;
    const distance = scrollHeight - scrollTop - clientHeight;
    // Only a reader scrolls up. Growing text moves the end away too, before the next scroll down.
    if (distance < 48) following.current = true;
    else if (scrollTop < lastTop.current) following.current = false;
    lastTop.current = scrollTop;
    setAway(distance > 240);
  };
  useLayoutEffect(() => {
    toEnd();
    const observer = new ResizeObserver(() => {
      if (following.current) scroll.current?.scrollTo({ top: scroll.current.scrollHeight });
    });
    if (inside.current) observer.observe(inside.current);
    return () => observer.disconnect();
  }, []);
  return { scroll, inside, away, toEnd, onScroll };
}

function useDroppedFiles(): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const carriesFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const dragover = (event: DragEvent): void => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(false);
      void attach([...(event.dataTransfer?.files ?? [])]);
    };
    document.addEventListener('dragover', dragover);
    document.addEventListener('dragleave', leave);
    document.addEventListener('drop', drop);
    return () => {
      document.removeEventListener('dragover', dragover);
      document.removeEventListener('dragleave', leave);
      document.removeEventListener('drop', drop);
    };
  }, []);
  return over;
}

export function ChatView(): JSX.Element {
  const { scroll, inside, away, toEnd, onScroll } = useFollowing();
  const dropping = useDroppedFiles();
  const messages = path.value;
  const lastUser = messages.findLast((message) => message.role === 'user')?.id;
  useLayoutEffect(toEnd, [lastUser]);
  const { title } = current.value.conversation;
  useEffect(() => {
    document.title = messages.length > 0 ? `${title} · Sluice` : 'Sluice';
  }, [title, messages.length]);
  return (
    <main class="chat" data-empty={messages.length === 0}>
      <div class="scroll" ref={scroll} onScroll={onScroll} tabIndex={0} role="region" aria-label="Messages">
        <div class="messages" ref={inside}>
          {messages.length === 0 ? <Empty /> : <h1 class="hidden">{title}</h1>}
          {messages.map((message, at) => (
            <MessageView
              key={message.id}
              message={message}
              siblings={children(current.value, message.parent).map(({ id }) => id).join(' ')}
              last={at === messages.length - 1}
            />
          ))}
        </div>
      </div>
      <div class="bottom">
        {away && (
          <button type="button" class="to-end" aria-label="To the end" title="To the end" onClick={toEnd}>
            <Icon name="down" />
          </button>
        )}
        <Composer />
      </div>
      {dropping && <div class="drop">Drop text files to attach them</div>}
    </main>
  );
}
