import type { JSX } from 'preact';
import { ChatView } from '../chat/chat-view';
import { SettingsDialog } from '../chat/settings';
import { Sidebar } from '../chat/sidebar';
import { keyRequest } from '../api/client';
import { currentId, storageProblem } from '../conversation/store';
import { LiveView } from '../live/live-view';
import { HelpDialog } from './help';
import { Icon } from './icons';
import { KeyDialog } from './key-dialog';
import { drawerOpen, openDialog } from './keyboard';
import { Notices } from './notices';
import { sidebar } from './preferences';
import { conversationLink, view } from './route';
import { ServerPill } from './server-pill';

function TopBar(): JSX.Element {
  const live = view.value === 'live';
  const toggle = (): void => {
    if (matchMedia('(max-width: 800px)').matches) drawerOpen.value = !drawerOpen.value;
    else sidebar.value = sidebar.value === 'open' ? 'closed' : 'open';
  };
  return (
    <header class="top">
      <button type="button" class="plain" aria-label="Conversations" title="Conversations" onClick={toggle}>
        <Icon name="menu" />
      </button>
      <nav class="views" aria-label="Views">
        <a href={conversationLink(currentId.value)} aria-current={live ? undefined : 'page'}>
          Chat
        </a>
        <a href="#/live" aria-current={live ? 'page' : undefined}>
          Live
        </a>
      </nav>
      <ServerPill />
      {!live && (
        <button type="button" class="plain" aria-label="Settings of this conversation" title="Settings (,)" onClick={() => (openDialog.value = 'settings')}>
          <Icon name="sliders" />
        </button>
      )}
    </header>
  );
}

export function App(): JSX.Element {
  return (
    <div class="app" data-sidebar={sidebar.value} data-drawer={drawerOpen.value ? 'open' : 'closed'}>
      <a class="skip" href="#composer" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('#composer, #live')?.focus(); }}>
        Skip to the content
      </a>
      <Sidebar />
      <div class="veil" onClick={() => (drawerOpen.value = false)} />
      <div class="main">
        <TopBar />
        {storageProblem.value && (
          <p class="banner" role="alert">
            {storageProblem.value}
          </p>
        )}
        {view.value === 'live' ? <LiveView /> : <ChatView key={currentId.value ?? 'draft'} />}
      </div>
      {openDialog.value === 'help' && <HelpDialog />}
      {openDialog.value === 'settings' && <SettingsDialog />}
      {keyRequest.value && <KeyDialog answer={keyRequest.value} />}
      <Notices />
    </div>
  );
}
