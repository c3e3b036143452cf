// sluice serve with the bundled model, for a file of tests. SLUICE names the program.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** {url, stop()}; stop() resolves to the exit status. */
export function serve(...flags) {
  const program = process.env.SLUICE ?? root + 'build/sluice';
  const child = spawn(program, ['serve', root + 'models/rill-q8_0.gguf', '--alias', 'rill', '--port', '0', '--no-learn', ...flags]);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  return new Promise((resolve, reject) => {
    let said = '';
    child.on('error', reject);
    child.on('exit', () => reject(new Error(said)));
    child.stderr.on('data', (text) => {
      said += text;
      const found = said.match(/served at (http:\/\/127\.0\.0\.1:\d+)/);
      if (found) resolve({ url: found[1], stop: () => (child.kill('SIGTERM'), ended) });
    });
  });
}

/** Answers in progress, as the server counts them. */
export async function answering(url) {
  const text = await (await fetch(url + '/metrics')).text();
  return Number(text.match(/^sluice_requests_decode (\d+)/m)[1]);
}

export async function eventually(holds) {
  for (let i = 0; i < 200; ++i) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it never came true: ' + holds);
}
