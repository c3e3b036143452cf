// The page inside the program, served by `sluice serve` with Rill: what the mock cannot be wrong about.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { accessibilityProblems, answered, ask, lastAnswer, open as openAt, realServer, say, texts } from './harness';
import { startSluice, type Sluice } from './sluice';

describe.skipIf(realServer)('with sluice serve and Rill', () => {
  let sluice: Sluice;
  beforeAll(async () => {
    sluice = await startSluice();
  });
  afterAll(async () => expect(await sluice.close()).toBe(0));
  const open = (options = {}) => openAt({ url: sluice.url, ...options });

  const settings = async (page: Page, fields: Record<string, string>) => {
    await page.getByLabel('Settings of this conversation').click();
    for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
    await page.getByLabel('Close').click();
  };
  const metric = async (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await (await fetch(`${sluice.url}metrics`)).text())![1]);
  /** Keeps the server answering: Rill has filled its context in one or two seconds, so one answer follows the other until `signal` aborts. */
  const answerOn = async (signal: AbortSignal) => {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Tell me a story.' }], ignore_eos: true });
    while (!signal.aborted) {
      try {
        await (await fetch(`${sluice.url}v1/chat/completions`, { method: 'POST', body, signal })).text();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  };

  it('answers, with thoughts and figures, and keeps the conversation over a reload', async () => {
    const page = await open();
    await settings(page, { Temperature: '0' });
    await ask(page, 'What is 12+30?');
    expect(await lastAnswer(page)).toBe('12 + 30 = 42');
    expect(await page.locator('.message-figures').innerText()).toMatch(/^rill · \d+ tokens/);
    await page.getByText('Thought for less than a second').click();
    await expect.poll(() => texts(page, '.from-assistant .prose')).toHaveLength(2);
    await page.getByText('Thought for less than a second').click();
    await ask(page, 'What is the capital of France?');
    const said = ['12 + 30 = 42', 'The capital of France is Paris.'];
    await expect.poll(() => texts(page, '.from-assistant .prose')).toEqual(said);
    await page.reload();
    await page.locator('.from-assistant').last().waitFor();
    expect(await texts(page, '.said-text')).toEqual(['What is 12+30?', 'What is the capital of France?']);
    await expect.poll(() => texts(page, '.from-assistant .prose')).toEqual(said);
  });

  it('edits and sends again, on another branch', async () => {
    const page = await open();
    await settings(page, { Temperature: '0' });
    await ask(page, 'What is 12+30?');
    await page.locator('.from-user').hover();
    await page.getByLabel('Edit and send again').click();
    await page.getByLabel('Edit the message').fill('What is 7+8?');
    await page.getByLabel('Edit the message').press('Enter');
    await answered(page);
    expect(await lastAnswer(page)).toBe('7 + 8 = 15');
    await page.locator('.from-user .branches').getByLabel('Previous version').click();
    expect(await lastAnswer(page)).toBe('12 + 30 = 42');
  });

  it('stops, and the server stops computing', async () => {
    const page = await open();
    // The page itself asks for no answer that goes on past its end.
    await page.route('**/v1/chat/completions', (route) => route.fallback({ postData: { ...route.request().postDataJSON(), ignore_eos: true } }));
    const before = await metric('sluice_generated_tokens_total');
    await say(page, 'Tell me a story.');
    await page.locator('.from-assistant .prose', { hasText: /.{20}/ }).waitFor();
    await page.getByLabel('Stop').click();
    await answered(page);
    expect(await page.locator('.ending').innerText()).toBe('Stopped.');
    await expect.poll(() => metric('sluice_requests_decode')).toBe(0);
    const then = await metric('sluice_generated_tokens_total');
    expect(then - before).toBeLessThan(4000);
    await page.waitForTimeout(200);
    expect(await metric('sluice_generated_tokens_total')).toBe(then);
  });

  it('calls a tool, and goes on with what it said', async () => {
    const page = await open();
    const number = { type: 'number' };
    const add = { name: 'add', description: 'Add two numbers.', parameters: { type: 'object', properties: { a: number, b: number }, required: ['a', 'b'] } };
    await settings(page, { Temperature: '0', Tools: JSON.stringify([{ type: 'function', function: add }]) });
    await ask(page, 'What is 78 + 214?');
    expect(await page.locator('.tool-name').innerText()).toBe('Calls add');
    await page.getByLabel('Result').fill('292');
    await page.getByRole('button', { name: 'Send result' }).click();
    await page.locator('.from-assistant .prose').last().waitFor();
    await answered(page);
    await expect.poll(() => lastAnswer(page)).toBe('78 + 214 = 292');
  });

  it('shows the engine at work', async () => {
    const page = await open({ path: '#/live' });
    const enough = new AbortController();
    const answers = answerOn(enough.signal);
    onTestFinished(() => (enough.abort(), answers));
    const card = (title: string) => page.locator('.card', { has: page.getByRole('heading', { name: title, exact: true }) });
    await page.locator('.sessions tbody tr').waitFor();
    await expect.poll(() => card('Requests').innerText()).toMatch(/1 computed now/);
    const answering = async () => /([\d.,]+)\s+tokens\/s/.exec(await card('Answering').innerText())![1];
    await expect.poll(answering).not.toBe('0');
    const first = await answering();
    await expect.poll(answering, { timeout: 5_000 }).not.toBe(first);
    expect(await page.locator('.live-head p').innerText()).toMatch(/deepseek2 · 6 layers, 4 of 16 experts/);
    expect(await page.locator('.map canvas').getAttribute('aria-label')).toMatch(/^Map of 5 layers by 16 experts/);
    expect(await page.locator('.stacked > div').count()).toBeGreaterThan(3);
  });

  it.each(['light', 'dark'] as const)('keeps nobody out, %s', async (colorScheme) => {
    const page = await open({ colorScheme, reducedMotion: 'reduce' });
    await ask(page, 'What is 12+30?');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Settings of this conversation').click();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Close').click();
    await page.getByRole('link', { name: 'Live' }).click();
    await page.locator('.spark .line').first().waitFor({ state: 'attached' });
    expect(await accessibilityProblems(page)).toEqual([]);
  });
});
