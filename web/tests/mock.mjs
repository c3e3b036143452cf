// A server with the interface of docs/stats.md and no model: for the browser's tests, and for work on the page.
//   node tests/mock.mjs [--port 8090] [--key SECRET] [--loading SECONDS] [--speed 1]
// What the last user message says decides the answer: see `script` below.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const page = fileURLToPath(new URL('../dist/index.html', import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const sample = `Water finds its level; so does a **cache**. Three things decide the speed:

1. the drive's rate $r$ in bytes a second,
2. the bytes a token uses, $b$,
3. the share that misses, $m$.

$$t = \\frac{b \\cdot m}{r} + t_{\\text{compute}}, \\qquad \\sqrt{\\sum_i w_i^2}$$

| memory | hits | tokens/s |
|---|---:|---:|
| 24 GB | 62 % | 2.1 |
| 64 GB | 81 % | 4.7 |

\`\`\`python
def rate(used: int, misses: float, drive: float) -> float:
    """Tokens a second if only the drive counts."""
    return drive / (used * misses)  # 3.4 here

print(rate(6_200_000_000, 0.3, 6.4e9))
\`\`\`

> What is read twice was forgotten once.

See \`sluice run --ram 64G\` or [the notes](https://example.org/notes).`;

const hostile = `<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">

[click](javascript:window.hacked=1) ![pixel](https://evil.example/pixel.png) <iframe src="https://evil.example"></iframe>

<style>body { display: none }</style> $\\href{javascript:window.hacked=1}{x}$ $\\includegraphics{https://evil.example/a.png}$

**still here**`;

const words = (text) => text.match(/\s*\S+/g) ?? [];

function script(messages) {
  const lastMessage = messages.at(-1) ?? { role: 'user', content: '' };
  const prompt = String(lastMessage.content ?? '');
  if (lastMessage.role === 'tool') return { content: words(`The tool said: ${prompt}. So that is settled.`), pause: 15 };
  if (/\bslow\b/.test(prompt)) return { content: Array.from({ length: 400 }, (_, i) => ` word${i}`), pause: 40 };
  if (/\blong prompt\b/.test(prompt)) return { prefill: 4096, content: ['Read', ' it', ' all.'], pause: 15 };
  if (/\bthink\b/.test(prompt)) return { reasoning: words('The user wants a sum. Twelve and thirty: first the tens, four; then the ones, two. So it is forty-two. Let me check it again, slowly and with care.'), content: words('12 + 30 = **42**'), pause: 110 };
  if (/\bweather\b/.test(prompt)) return { tool: { name: 'get_weather', arguments: '{"city": "Lisbon", "unit": "celsius"}' }, pause: 20 };
  if (/\bhostile\b/.test(prompt)) return { content: words(hostile), pause: 3 };
  if (/\brefuse\b/.test(prompt)) return { status: 400, error: 'The prompt has 9000 tokens; the context holds 8192. Shorten it or start with --ctx 16384.' };
  if (/\bbreak\b/.test(prompt)) return { content: words('This much arrives and then'), breaks: 'The drive returned an error at offset 4096 of model.gguf.', pause: 15 };
  if (/\bvanish\b/.test(prompt)) return { content: words('This much arrives and then'), vanishes: true, pause: 15 };
  if (/\becho\b/.test(prompt)) return { content: words(prompt), pause: 3 };
  if (/\bsample\b/.test(prompt)) return { reasoning: words('A question of rates. State the formula, give a table, show code.'), content: sample.match(/[\s\S]{1,4}/g), pause: 6 };
  return { content: words(`Answer number ${++answers}. You said: ${prompt.slice(0, 60)}`), pause: 15 };
}
let answers = 0;

const geometry = { layers: 58, experts: 256, firstLayer: 3 };

/** Numbers that move as those of a working engine do. */
class Engine {
  started = Date.now();
  cache = { hits: 60_000, misses: 21_000, guesses_useful: 8_000, guesses_wasted: 3_400 };
  read = 3.1e11;
  prefill = 1200;
  decode = 340;
  active = new Map();
  heat = new Float64Array(geometry.layers * geometry.experts);
  constructor() {
    let seed = 7;
    const random = () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648);
    for (let i = 0; i < this.heat.length; i++) this.heat[i] = random() ** 5 * (0.6 + 0.4 * Math.sin(i / geometry.experts / 9));
  }
  step() {
    const busy = this.active.size > 0;
    const speed = busy ? 3.2 + Math.sin(Date.now() / 4000) * 0.6 : 0;
    const asked = Math.round(speed * geometry.layers * 8);
    const hits = Math.round(asked * (0.7 + 0.1 * Math.sin(Date.now() / 7000)));
    this.cache.hits += hits;
    this.cache.misses += asked - hits;
    this.cache.guesses_useful += Math.round(asked / 20);
    this.cache.guesses_wasted += Math.round(asked / 50);
    const rate = (asked - hits) * 13_500_000;
    this.read += rate;
    this.decode += Math.round(speed);
    if (busy) for (let i = 0; i < 400; i++) this.heat[Math.floor(Math.random() ** 2 * this.heat.length)] += 0.02;
    return { busy, speed, rate };
  }
  stats() {
    const { busy, speed, rate } = this.step();
    const top = Math.max(...this.heat);
    const heat = Buffer.from(Array.from(this.heat, (h) => Math.min(255, Math.round((h / top) * 255))));
    const threshold = [...heat].sort((a, b) => b - a)[Math.floor(heat.length * 0.24)];
    const tier = Buffer.from([...heat].map((h) => (h >= threshold ? 1 : 0)));
    const sessions = [...this.active.values()];
    return {
      uptime: (Date.now() - this.started) / 1000 + 812,
      rss: 62_300_000_000,
      model: { name: 'deepseek-r1', architecture: 'deepseek2', layers: 61, experts: 256, experts_used: 8, bytes: 212_000_000_000 },
      memory: {
        budget: 64_000_000_000,
        tiers: [
          { name: 'RAM', capacity: 64_000_000_000, parts: [{ name: 'dense', bytes: 12_100_000_000 }, { name: 'experts', bytes: 47_300_000_000 }, { name: 'kv', bytes: 1_400_000_000 }, { name: 'scratch', bytes: 830_000_000 }, { name: 'program', bytes: 61_000_000 }] },
          { name: 'SSD', capacity: null, parts: [{ name: 'experts', bytes: 152_600_000_000 }] },
        ],
      },
      cache: { ...this.cache },
      drive: { bytes_read: Math.round(this.read), rate, limit: 7_100_000_000 },
      tokens: { prefill_total: this.prefill, decode_total: this.decode, prefill_per_second: busy && Math.sin(Date.now() / 3000) > 0.6 ? 71.2 : 0, decode_per_second: speed },
      time_per_token: busy ? { drive: 640 / speed, compute: 290 / speed, wait: 70 / speed } : null,
      queue: { active: sessions.length, waiting: 0, limit: 16 },
      sessions,
      heat: { layers: geometry.layers, experts: geometry.experts, first_layer: geometry.firstLayer, data: heat.toString('base64'), tier: tier.toString('base64') },
    };
  }
}

/** @returns {Promise<{url: string, requests: object[], close: () => Promise<void>}>} */
export function startMock({ port = 0, key = null, loading = 0, speed = 1 } = {}) {
  const engine = new Engine();
  const requests = [];
  const readyAt = Date.now() + loading * 1000;
  let serial = 0;

  const json = (response, status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  const failure = (response, status, message) => json(response, status, { error: { message, type: 'invalid_request_error', code: status } });
  const startEvents = (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    return (data) => response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  };

  async function complete(request, response) {
    let raw = '';
    for await (const piece of request) raw += piece;
    const body = JSON.parse(raw);
    requests.push(body);
    const play = script(body.messages);
    if (play.status) return failure(response, play.status, play.error);
    const id = `chatcmpl-${++serial}`;
    const session = { id, state: 'prefill', prompt_tokens: words(raw).length, processed: 0, generated: 0, tokens_per_second: null };
    engine.active.set(id, session);
    response.on('close', () => engine.active.delete(id));
    const send = startEvents(response);
    const base = { id, object: 'chat.completion.chunk', created: 1, model: body.model || 'deepseek-r1' };
    const delta = (fields, finish = null) => send({ ...base, choices: [{ index: 0, delta: fields, finish_reason: finish }] });
    const pause = () => sleep(play.pause / speed);
    response.write(': keep-alive\n\n');
    if (play.prefill) {
      session.prompt_tokens = play.prefill;
      for (let done = 0; done <= play.prefill && !response.closed; done += 512) {
        session.processed = done;
        send({ ...base, choices: [], progress: { processed: done, total: play.prefill } });
        await sleep(250 / speed);
      }
    }
    Object.assign(session, { state: 'decode', processed: session.prompt_tokens, tokens_per_second: 3.4 });
    delta({ role: 'assistant', content: '' });
    for (const kind of ['reasoning', 'content']) {
      for (const piece of play[kind] ?? []) {
        if (response.closed) return;
        session.generated++;
        delta(kind === 'reasoning' ? { reasoning_content: piece } : { content: piece });
        await pause();
      }
    }
    if (play.vanishes) return response.destroy();
    if (play.breaks) return response.end(`data: ${JSON.stringify({ error: { message: play.breaks } })}\n\n`);
    if (play.tool) {
      delta({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: play.tool.name, arguments: '' } }] });
      for (const piece of play.tool.arguments.match(/.{1,7}/g)) {
        delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] });
        await pause();
      }
    }
    delta({}, play.tool ? 'tool_calls' : 'stop');
    send({ ...base, choices: [], usage: { prompt_tokens: session.prompt_tokens, completion_tokens: session.generated, total_tokens: session.prompt_tokens + session.generated } });
    send('[DONE]');
    response.end();
  }

  function stats(response) {
    const send = startEvents(response);
    send(engine.stats());
    const timer = setInterval(() => send(engine.stats()), 1000 / speed);
    response.on('close', () => clearInterval(timer));
  }

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://mock');
    const known = ['/v1/chat/completions', '/v1/models', '/stats'].includes(pathname);
    if (known && key && request.headers.authorization !== `Bearer ${key}`) return failure(response, 401, 'An API key is needed: Authorization: Bearer KEY.');
    const waits = readyAt - Date.now();
    if (pathname === '/') {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': "frame-ancestors 'none'", 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' });
      return response.end(readFileSync(path.resolve(page)));
    }
    if (pathname === '/health') {
      if (waits <= 0) return json(response, 200, { status: 'ok' });
      return json(response, 503, { status: 'loading', progress: { stage: 'reading weights', processed: loading * 1000 - waits, total: loading * 1000 } });
    }
    if (pathname === '/v1/models') return json(response, 200, { object: 'list', data: [{ id: 'deepseek-r1', object: 'model' }] });
    if (pathname === '/v1/chat/completions' && request.method === 'POST') return complete(request, response).catch((error) => response.destroy(error));
    if (pathname === '/stats') return stats(response);
    return failure(response, 404, `There is no ${pathname}.`);
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${server.address().port}/`;
      resolve({ url, requests, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, fallback) => (process.argv.includes(`--${name}`) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : fallback);
  const { url } = await startMock({ port: Number(option('port', 8090)), key: option('key', null), loading: Number(option('loading', 0)), speed: Number(option('speed', 1)) });
  console.log(`mock server at ${url}`);
}
