// Drives a Chromium that is already installed (CHROMIUM, or /usr/bin/chromium) against the mock server, or against a running one:
//   SLUICE_URL=http://127.0.0.1:8080/ npm run test:browser
// Every page fails its test if anything is asked of another host, or if the page throws.
import axe, { type AxeResults } from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startMock, type Mock } from '../mock.mjs';

export const realServer = process.env['SLUICE_URL'];
let browser: Browser;
let mock: Mock | null = null;
const pages: Page[] = [];
const faults: string[] = [];

beforeAll(async () => {
  const args = ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];  // /dev/shm is small in containers
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args });
  if (!realServer) mock = await startMock({ speed: 2 });
});
afterAll(async () => {
  await browser?.close();
  await mock?.close();
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close();
  expect(faults.splice(0)).toEqual([]);
});

export interface Options extends BrowserContextOptions {
  url?: string;
  path?: string;
}

export async function open({ url, path = '', ...options }: Options = {}): Promise<Page> {
  const base = url ?? realServer ?? mock!.url;
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const own = new URL(base).host;
  await context.route('**', (route) => {
    const asked = new URL(route.request().url());
    if (asked.host === own || asked.protocol === 'data:' || asked.protocol === 'blob:') return route.continue();
    faults.push(`asked ${asked.href}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text());
  });
  pages.push(page);
  await page.goto(base + path);
  return page;
}

export async function say(page: Page, text: string): Promise<void> {
  await page.fill('#composer', text);
  await page.press('#composer', 'Enter');
}
export async function answered(page: Page): Promise<void> {
  await page.locator('article').last().and(page.locator('.from-assistant:not([data-state=streaming])')).waitFor();
}
export const ask = async (page: Page, text: string): Promise<void> => {
  await say(page, text);
  await answered(page);
};
export const lastAnswer = (page: Page): Promise<string> => page.locator('.from-assistant .prose').last().innerText();
export const texts = (page: Page, selector: string): Promise<string[]> => page.locator(selector).allInnerTexts();

/** Violations that keep people out. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  // Not a script element: the page's own policy forbids those.
  await session.send('Runtime.evaluate', { expression: axe.source });
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`).join(' | ')}`);
}
