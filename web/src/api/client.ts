import { signal } from '@preact/signals';

/** What the server said, or why it could not be asked: a sentence for the user. */
export class ApiError extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
    this.name = 'ApiError';
  }
}

const keyName = 'sluice.key';

/** Set while the page asks for the API key; the dialog calls it with the key, or null to give up. */
export const keyRequest = signal<((key: string | null) => void) | null>(null);
let asking: Promise<string | null> | null = null;

function storedKey(): string | null {
  try {
    return localStorage.getItem(keyName);
  } catch {
    return null;
  }
}

function askForKey(): Promise<string | null> {
  asking ??= new Promise<string | null>((resolve) => {
    keyRequest.value = (key) => {
      keyRequest.value = null;
      asking = null;
      try {
        if (key !== null) localStorage.setItem(keyName, key);
      } catch {
        // A browser that keeps nothing asks again after a reload.
      }
      heldKey = key;
      resolve(key);
    };
  });
  return asking;
}
let heldKey = storedKey();

/** Addresses are relative to the page, so that it works behind a proxy's prefix. */
export const address = (path: string): string => new URL(path, document.baseURI.replace(/#.*$/, '')).href;

/** Asks the server; resolves only with a good answer. At 401 the user is asked for the key, once for all requests that wait. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const usedKey = heldKey;
    const headers = new Headers(init.headers);
    if (usedKey) headers.set('Authorization', `Bearer ${usedKey}`);
    let response: Response;
    try {
      response = await fetch(address(path), { ...init, headers, cache: 'no-store' });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new ApiError('The server does not answer. Is it still running?', 0);
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await errorOf(response);
    if (heldKey !== usedKey) continue;
    if ((await askForKey()) === null) throw await errorOf(response);
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  return new ApiError(messageIn(text) ?? `The server answered ${response.status} ${response.statusText}`.trim() + '.', response.status);
}

/** The sentence in an OpenAI-style error. */
export function messageIn(text: string): string | null {
  try {
    return errorMessage(JSON.parse(text));
  } catch {
    return null;
  }
}

export function errorMessage(body: unknown): string | null {
  const error = (body as { error?: unknown } | null)?.error;
  if (typeof error === 'string') return error;
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' && message !== '' ? message : null;
}
