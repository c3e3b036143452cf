import { render } from 'preact';
import 'katex/dist/katex.min.css';
import './style/base.css';
import './style/layout.css';
import './style/chat.css';
import './style/prose.css';
import './style/live.css';
import { watchServer } from './api/server';
import { openStore } from './conversation/store';
import { App } from './ui/app';
import { listenToKeys } from './ui/keyboard';
import { followAddress } from './ui/route';

await openStore();
await followAddress();
window.addEventListener('hashchange', () => void followAddress());
listenToKeys();
render(<App />, document.getElementById('page')!);
void watchServer();
