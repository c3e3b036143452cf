import { computed, signal } from '@preact/signals';
import { address, request } from './client';

/** What is known of the server: the page asks until it is ready, then looks now and then. */
export type ServerState =
  | { kind: 'unknown' }
  | { kind: 'ready' }
  | { kind: 'loading'; stage: string; part: number | null }
  | { kind: 'unreachable' };

export const serverState = signal<ServerState>({ kind: 'unknown' });
export const models = signal<string[]>([]);
export const defaultModel = computed(() => models.value[0] ?? '');

const readyInterval = 15_000;
const waitingInterval = 1_000;

async function health(): Promise<ServerState> {
  let response: Response;
  try {
    response = await fetch(address('health'), { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
  } catch {
    return { kind: 'unreachable' };
  }
  if (response.ok) return { kind: 'ready' };
  if (response.status !== 503) return { kind: 'unreachable' };
  const body: unknown = await response.json().catch(() => null);
  const progress = (body as { progress?: { stage?: unknown; processed?: unknown; total?: unknown } } | null)?.progress;
  const { stage, processed, total } = progress ?? {};
  const part = typeof processed === 'number' && typeof total === 'number' && total > 0 ? Math.min(1, processed / total) : null;
  return { kind: 'loading', stage: typeof stage === 'string' ? stage : 'loading the model', part };
}

async function readModels(): Promise<void> {
  const body = (await (await request('v1/models')).json()) as { data?: { id?: unknown }[] };
  models.value = (Array.isArray(body.data) ? body.data : []).map(({ id }) => id).filter((id): id is string => typeof id === 'string');
}

/** Never ends. */
export async function watchServer(): Promise<void> {
  for (;;) {
    const state = await health();
    if (JSON.stringify(state) !== JSON.stringify(serverState.value)) serverState.value = state;
    if (state.kind === 'ready' && models.value.length === 0) await readModels().catch(() => undefined);
    await pause(state.kind === 'ready' && models.value.length > 0 ? readyInterval : waitingInterval);
  }
}

let wake: (() => void) | null = null;
/** Looks at once, for example after an error. */
export const checkServer = (): void => wake?.();

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
