import { signal } from '@preact/signals';
import { ApiError, request } from '../api/client';
import { readEvents } from '../api/sse';
import { History } from './history';
import { readStats } from './stats';

const history = new History();
/** Counts up with every object that arrived. */
export const arrived = signal(0);
export const problem = signal<string | null>(null);
export const liveHistory = (): History => history;

/** Listens to /stats until the signal aborts; after a failure tries again, slower each time. */
export async function listen(signal: AbortSignal): Promise<void> {
  for (let pause = 1000; !signal.aborted; pause = Math.min(15_000, pause * 2)) {
    try {
      const response = await request('stats', { headers: { Accept: 'text/event-stream' }, signal });
      if (response.body === null) throw new ApiError('The server sent nothing.', 0);
      for await (const { data } of readEvents(response.body)) {
        history.add(readStats(JSON.parse(data)));
        problem.value = null;
        arrived.value++;
        pause = 1000;
      }
    } catch (error) {
      if (signal.aborted) return;
      problem.value = error instanceof ApiError ? error.message : 'The connection to the server broke off.';
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
