import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { answering, stop } from '../conversation/answering';
import type { Conversation } from '../conversation/model';
import { conversations, currentId, exportAsMarkdown, exportConversations, importConversations, removeConversation, rename, search } from '../conversation/store';
import { importLimit } from '../conversation/transfer';
import { Dialog } from '../ui/dialog';
import { download } from '../ui/files';
import { Icon, Mark } from '../ui/icons';
import { drawerOpen, openDialog } from '../ui/keyboard';
import { Menu } from '../ui/menu';
import { notify } from '../ui/notices';
import { theme, themes } from '../ui/preferences';
import { conversationLink, show, startNew } from '../ui/route';
import { bytes } from '../ui/units';

function group(updated: number): string {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const day = 86_400_000;
  if (updated >= midnight) return 'Today';
  if (updated >= midnight - day) return 'Yesterday';
  return updated >= midnight - 7 * day ? 'This week' : 'Earlier';
}

function RenameField({ conversation, onDone }: { conversation: Conversation; onDone: () => void }): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const done = (keep: boolean): void => {
    if (keep && field.current) rename(conversation.id, field.current.value);
    onDone();
  };
  return (
    <input
      ref={field}
      class="rename"
      aria-label="Name of the conversation"
      defaultValue={conversation.title}
      onBlur={() => done(true)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === 'Enter') done(true);
        if (event.key === 'Escape') done(false);
      }}
    />
  );
}

function Row({ conversation, onDelete }: { conversation: Conversation; onDelete: () => void }): JSX.Element {
  const [renaming, setRenaming] = useState(false);
  const { id, title } = conversation;
  const currentOne = currentId.value === id;
  if (renaming) return <RenameField conversation={conversation} onDone={() => setRenaming(false)} />;
  return (
    <>
      <a href={conversationLink(id)} aria-current={currentOne ? 'true' : undefined} title={title} onClick={() => (drawerOpen.value = false)} onDblClick={() => setRenaming(true)}>
        {answering.value.has(id) && <span class="dot" role="img" aria-label="Being answered" />}
        {title}
      </a>
      <Menu
        label={`Actions for ${title}`}
        items={[
          { label: 'Rename', icon: 'edit', act: () => setRenaming(true) },
          { label: 'Save as Markdown', icon: 'download', act: () => void exportAsMarkdown(id).then((text) => download(`${title}.md`, text, 'text/markdown')) },
          { label: 'Save as JSON', icon: 'download', act: () => void exportConversations([id]).then((text) => download(`${title}.json`, text, 'application/json')) },
          { label: 'Delete', icon: 'trash', act: onDelete, danger: true },
        ]}
      >
        <Icon name="more" />
      </Menu>
    </>
  );
}

function DeleteDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): JSX.Element {
  const remove = (): void => {
    onClose();
    stop(conversation.id);
    removeConversation(conversation.id);
    if (currentId.value === conversation.id) show(null);
  };
  return (
    <Dialog title="Delete this conversation?" onClose={onClose}>
      <p>“{conversation.title}” is removed from this browser. It is nowhere else.</p>
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" class="primary danger" onClick={remove}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}

async function importFile(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  try {
    if (file.size > importLimit) throw new Error(`The file has ${bytes(file.size)}; ${bytes(importLimit)} can be imported.`);
    const id = await importConversations(await file.text());
    if (id !== null) show(id);
  } catch (error) {
    notify(`Nothing was imported. ${(error as Error).message}`, true);
  }
}

function Foot(): JSX.Element {
  const picker = useRef<HTMLInputElement>(null);
  const next = themes[(themes.indexOf(theme.value) + 1) % themes.length]!;
  const names = { system: 'as the system', light: 'light', dark: 'dark' };
  const exportAll = async (): Promise<void> => {
    const text = await exportConversations(conversations.value.map(({ id }) => id));
    download(`sluice-${new Date().toISOString().slice(0, 10)}.json`, text, 'application/json');
  };
  return (
    <footer>
      <button type="button" class="plain" aria-label={`Colours: ${names[theme.value]}; change to ${names[next]}`} title={`Colours: ${names[theme.value]}`} onClick={() => (theme.value = next)}>
        <Icon name={theme.value === 'light' ? 'sun' : theme.value === 'dark' ? 'moon' : 'system'} />
      </button>
      <button type="button" class="plain" aria-label="Keyboard shortcuts" title="Keyboard (?)" onClick={() => (openDialog.value = 'help')}>
        <Icon name="help" />
      </button>
      <Menu
        label="Import and export"
        items={[
          { label: 'Import…', icon: 'upload', act: () => picker.current?.click() },
          { label: 'Save all as JSON', icon: 'download', act: () => void exportAll() },
        ]}
      >
        <Icon name="more" />
      </Menu>
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        hidden
        aria-label="Import conversations"
        onChange={(event) => {
          void importFile(event.currentTarget.files?.[0]);
          event.currentTarget.value = '';
        }}
      />
    </footer>
  );
}

/** Those that match, once the search has looked; null shows all. */
function useSearch(): [string, (query: string) => void, Set<string> | null] {
  const [query, setQuery] = useState('');
  const [found, setFound] = useState<Set<string> | null>(null);
  useEffect(() => {
    if (!query.trim()) {
      setFound(null);
      return;
    }
    let stale = false;
    const timer = setTimeout(() => void search(query).then((ids) => !stale && setFound(ids)), 120);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [query]);
  return [query, setQuery, found];
}

export function Sidebar(): JSX.Element {
  const [query, setQuery, found] = useSearch();
  const [deleting, setDeleting] = useState<Conversation | null>(null);
  const shown = conversations.value.filter(({ id }) => found === null || found.has(id));
  const groups = groupBy(shown);
  return (
    <aside class="sidebar" aria-label="Conversations">
      <header>
        <Mark />
        <strong>Sluice</strong>
        <button
          type="button"
          class="plain"
          aria-label="New conversation"
          title="New conversation (Ctrl+K)"
          onClick={() => {
            drawerOpen.value = false;
            startNew();
          }}
        >
          <Icon name="plus" />
        </button>
      </header>
      <label class="search">
        <Icon name="search" />
        <input id="search" type="search" aria-label="Search conversations" placeholder="Search" value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
      </label>
      <nav aria-label="Conversations">
        {[...groups].map(([name, list]) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>
              {list.map((conversation) => (
                <li key={conversation.id}>
                  <Row conversation={conversation} onDelete={() => setDeleting(conversation)} />
                </li>
              ))}
            </ul>
          </section>
        ))}
        {shown.length === 0 && <p class="faint none">{query ? 'Nothing found.' : 'Conversations appear here. They stay in this browser.'}</p>}
      </nav>
      <Foot />
      {deleting && <DeleteDialog conversation={deleting} onClose={() => setDeleting(null)} />}
    </aside>
  );
}

function groupBy(list: Conversation[]): Map<string, Conversation[]> {
  const groups = new Map<string, Conversation[]>();
  for (const conversation of list) groups.set(group(conversation.updated), [...(groups.get(group(conversation.updated)) ?? []), conversation]);
  return groups;
}
