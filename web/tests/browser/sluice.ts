// `sluice serve` with the bundled model, as a child of the tests. SLUICE names the program.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface Sluice {
  url: string;
  /** Its exit status. */
  close(): Promise<number | null>;
}

export function startSluice(...flags: string[]): Promise<Sluice> {
  const program = process.env['SLUICE'] ?? `${root}build/sluice`;
  if (!existsSync(program)) throw new Error(`${program} is missing: run make build, or name a program in SLUICE`);
  const child = spawn(program, ['serve', `${root}models/rill-q8_0.gguf`, '--alias', 'rill', '--port', '0', '--no-learn', '--quiet', ...flags]);
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const die = () => child.kill('SIGKILL');
  process.on('exit', die);
  return new Promise((resolve, reject) => {
    let said = '';
    child.on('error', reject);
    void ended.then(() => (process.off('exit', die), reject(new Error(said))));
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
      const found = /served at (http:\/\/127\.0\.0\.1:\d+)/.exec(said);
      if (found) resolve({ url: `${found[1]!}/`, close: () => (child.kill('SIGTERM'), ended) });
    });
  });
}
