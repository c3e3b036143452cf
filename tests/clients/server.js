// sluice serve with the bundled model, for a file of tests. SLUICE names the program.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** {url, stop()}; stop() resolves to the exit status. */
export function serve(...flags) {
  const program = process.env.SLUICE ?? root + 'build/sluice';
  const child = spawn(program, ['serve', root + 'models/rill-q8_0.gguf', '--alias', 'rill', '--port', '0', '--no-learn', ...flags]);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const die = () => child.kill('SIGKILL');
  process.on('exit', die);  // also when a test fails before stop()
  ended.then(() => process.off('exit', die));
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

/** A figure of the server's /metrics. */
export async function metric(url, name) {
  const text = await (await fetch(url + '/metrics')).text();
  const found = text.match(new RegExp(`^${name} (\\S+)$`, 'm'));
  if (!found) throw new Error('there is no ' + name);
  return Number(found[1]);
}

/** Answers in progress. */
export const answering = (url) => metric(url, 'sluice_requests_decode');

export async function eventually(holds) {
  for (let i = 0; i < 500; ++i) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it never came true: ' + holds);
}

/** Leaves, by calling `leave`: the server computes a step or so more (the answers to /metrics take time, too), and then nothing. */
export async function stopsComputing(url, leave) {
  const tokens = () => metric(url, 'sluice_generated_tokens_total');
  const cancelled = () => metric(url, 'sluice_requests_cancelled_total');
  const before = await tokens();
  const cancelledBefore = await cancelled();
  await leave();
  await eventually(async () => (await answering(url)) === 0);
  const then = await tokens();
  await eventually(async () => (await cancelled()) === cancelledBefore + 1);
  // Rill writes three in a millisecond, and this program and the server may wait for their turn; thousands are asked for.
  if (then - before > 1500) throw new Error(`the server went on for ${then - before} tokens`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  if ((await tokens()) !== then) throw new Error('the server goes on computing for nobody');
}
