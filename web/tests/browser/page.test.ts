import { describe, expect, it } from 'vitest';
import { accessibilityProblems, answered, ask, open, realServer, say } from './harness';

const background = (page: Awaited<ReturnType<typeof open>>) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
const light = 'rgb(250, 249, 246)';
const dark = 'rgb(20, 24, 26)';

describe('the live view', () => {
  it('moves', async () => {
    const page = await open();
    await say(page, realServer ? 'Tell me a long story' : 'slow please');
    await page.getByRole('link', { name: 'Live' }).click();
    await page.locator('.live-head').waitFor();
    const uptime = () => page.locator('.live-head p').innerText();
    const first = await uptime();
    await expect.poll(uptime, { timeout: 10_000 }).not.toBe(first);
    await expect.poll(async () => (await page.locator('.spark .line').first().getAttribute('d'))?.split('L').length ?? 0, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(await page.locator('.tier').count()).toBeGreaterThan(0);
    expect(await page.locator('.stacked > div').count()).toBeGreaterThan(1);
  });

  it.skipIf(realServer)('shows bytes, rates, times, requests, and each expert', async () => {
    const page = await open();
    await say(page, 'slow please');
    await page.getByRole('link', { name: 'Live' }).click();
    const card = (title: string) => page.locator('.card', { has: page.getByRole('heading', { name: title, exact: true }) });
    await page.locator('.sessions tbody tr').waitFor();
    expect(await card('Where the bytes are').innerText()).toMatch(/RAM\s+61\.7 GB of 64\.0 GB/);
    expect(await card('Drive').innerText()).toMatch(/GB\/s\s+\d+ % of its limit, 7\.10 GB\/s/);
    expect(await card('Time for a token').innerText()).toMatch(/Waiting for the drive [\d.]+ ms/);
    await expect.poll(() => card('Cache hits').innerText(), { timeout: 10_000 }).toMatch(/^Cache hits\s+\d+ %/);
    expect(await card('Requests').innerText()).toMatch(/answers/);
    const canvas = page.locator('.map canvas');
    expect(await canvas.getAttribute('aria-label')).toMatch(/^Map of 58 layers by 256 experts: .*% on the SSD/);
    await canvas.hover({ position: { x: 3, y: 2 } });
    expect(await page.locator('.map figcaption').innerText()).toMatch(/^Layer 3, expert 0: (?:in RAM|on the SSD), heat/);
    await canvas.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    expect(await page.locator('.map figcaption').innerText()).toMatch(/^Layer 4, expert 1:/);
    const colours = await canvas.evaluate((element: HTMLCanvasElement) => new Set(new Uint32Array(element.getContext('2d')!.getImageData(0, 0, element.width, element.height).data.buffer)).size);
    expect(colours).toBeGreaterThan(20);
  });

  it('is where a reload stays', async () => {
    const page = await open({ path: '#/live' });
    await page.locator('.live-head').waitFor();
    await page.reload();
    await page.locator('.live-head').waitFor();
  });
});

describe('the page', () => {
  it('follows the system into the dark, and the switch', async () => {
    const page = await open({ colorScheme: 'dark' });
    expect(await background(page)).toBe(dark);
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await background(page)).toBe(light);
    const toggle = page.locator('[aria-label^="Colours"]');
    await toggle.click();
    await toggle.click();
    expect(await background(page)).toBe(dark);
    await page.reload();
    expect(await background(page)).toBe(dark);
    await toggle.click();
    expect(await background(page)).toBe(light);
  });

  it('is worked from the keyboard', async () => {
    const page = await open();
    const focused = () => page.evaluate(() => document.activeElement?.id);
    await page.locator('.sidebar header strong').click();
    await page.keyboard.press('?');
    expect(await page.locator('dialog h2').innerText()).toBe('Keyboard');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('/');
    expect(await focused()).toBe('composer');
    await page.keyboard.type('l/?');
    expect(await page.locator('#composer').inputValue()).toBe('l/?');
    await page.keyboard.press('Shift+Enter');
    expect(await page.locator('#composer').inputValue()).toBe('l/?\n');
    await page.keyboard.press('Control+Enter');
    await answered(page);
    await page.locator('.sidebar header strong').click();
    await page.keyboard.press('s');
    await expect.poll(focused).toBe('search');
    await page.locator('.sidebar header strong').click();
    await page.keyboard.press('l');
    await page.locator('.live').waitFor();
    await page.keyboard.press('l');
    await page.locator('.chat').waitFor();
    await expect.poll(focused).toBe('composer');
    await page.locator('.sidebar header strong').click();
    await page.keyboard.press(',');
    await page.getByLabel('System prompt').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('Control+k');
    await page.locator('.empty').waitFor();
    await expect.poll(focused).toBe('composer');
  });

  it('fits a telephone', async () => {
    const page = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    await page.fill('#composer', realServer ? 'Hello' : 'a sample');
    await page.getByLabel('Send').click();
    await answered(page);
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(await wide()).toBe(false);
    await page.locator('.top [aria-label=Conversations]').click();
    await page.locator('.sidebar').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.sidebar').waitFor({ state: 'hidden' });
    await page.getByRole('link', { name: 'Live' }).click();
    await page.locator('.live-head').waitFor();
    expect(await wide()).toBe(false);
  });

  it.each(['light', 'dark'] as const)('keeps nobody out, %s', async (colorScheme) => {
    const page = await open({ colorScheme, reducedMotion: 'reduce' });
    expect(await accessibilityProblems(page)).toEqual([]);
    if (!realServer) {
      for (const words of ['a sample', 'think', 'the weather?', 'refuse', 'hostile']) await ask(page, words);
    } else await ask(page, 'Hello');
    await page.locator('.from-user').first().hover();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Settings of this conversation').click();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Close').click();
    await page.getByLabel('Keyboard shortcuts').click();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Close').click();
    if (!realServer) await say(page, 'slow please');
    await page.getByRole('link', { name: 'Live' }).click();
    await page.locator('.live-head').waitFor();
    await page.waitForTimeout(1_500);
    expect(await accessibilityProblems(page)).toEqual([]);
  });
});
