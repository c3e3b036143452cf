export interface Mock {
  url: string;
  /** Bodies of the chat requests so far. */
  requests: Record<string, unknown>[];
  close(): Promise<void>;
}
export function startMock(options?: { port?: number; key?: string | null; loading?: number; speed?: number }): Promise<Mock>;
