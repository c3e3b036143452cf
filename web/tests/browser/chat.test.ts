import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startMock } from '../mock.mjs';
import { answered, ask, lastAnswer, open, realServer, say, texts } from './harness';

const file = (name: string, text: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });

describe('a conversation', () => {
  it('is answered, named, and there after a reload', async () => {
    const page = await open();
    await ask(page, 'Hello there');
    const answer = await lastAnswer(page);
    expect(answer.length).toBeGreaterThan(0);
    expect(await texts(page, '.sidebar li a')).toEqual(['Hello there']);
    expect(page.url()).toMatch(/#\/c\/[0-9a-f]{24}$/);
    await page.reload();
    await page.locator('.from-assistant').waitFor();
    expect(await texts(page, '.said-text')).toEqual(['Hello there']);
    expect(await lastAnswer(page)).toBe(answer);
    expect(await page.locator('.message-figures').innerText()).toMatch(/tokens/);
  });

  it('branches at an edit and at another answer', async () => {
    const page = await open();
    await ask(page, 'First words');
    await ask(page, 'Second words');
    await page.locator('.from-user').last().hover();
    await page.locator('.from-user').last().getByLabel('Edit and send again').click();
    await page.getByLabel('Edit the message').fill('Other words');
    await page.getByLabel('Edit the message').press('Enter');
    await answered(page);
    expect(await texts(page, '.said-text')).toEqual(['First words', 'Other words']);
    const branches = page.locator('.from-user .branches');
    expect(await branches.innerText()).toBe('2/2');
    await page.getByLabel('Answer again').last().click();
    await expect.poll(() => page.locator('.from-assistant .branches').count()).toBe(1);
    await answered(page);
    expect(await page.locator('.from-assistant .branches').innerText()).toBe('2/2');
    await branches.getByLabel('Previous version').click();
    expect(await texts(page, '.said-text')).toEqual(['First words', 'Second words']);
    expect(await branches.innerText()).toBe('1/2');
    await page.reload();
    await page.locator('.branches').waitFor();
    expect(await texts(page, '.said-text')).toEqual(['First words', 'Second words']);
    await branches.getByLabel('Next version').click();
    expect(await texts(page, '.said-text')).toEqual(['First words', 'Other words']);
    expect(await page.locator('.from-assistant .branches').innerText()).toBe('2/2');
  });

  it('takes files along, in fences with their names', async () => {
    const page = await open();
    await page.setInputFiles('.composer input[type=file]', [file('notes.md', 'one\n```\ntwo'), file('bad.bin', 'a\0b')]);
    await page.locator('.composer .chip').waitFor();
    expect(await texts(page, '.composer .chip-name')).toEqual(['notes.md']);
    expect(await page.locator('.notice.problem').innerText()).toMatch(/bad\.bin is not a text file/);
    const sent = page.waitForRequest('**/v1/chat/completions');
    await say(page, 'Read this');
    const body = (await sent).postDataJSON() as { messages: { content: string }[] };
    expect(body.messages[0]!.content).toBe('````notes.md\none\n```\ntwo\n````\n\nRead this');
    await answered(page);
    await page.locator('.said .chip button').click();
    expect(await page.locator('dialog .file-text').innerText()).toBe('one\n```\ntwo');
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog').count()).toBe(0);
  });

  it('takes files that are dropped', async () => {
    const page = await open();
    const data = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['dropped'], 'd.txt'));
      return transfer;
    });
    await page.dispatchEvent('main', 'dragover', { dataTransfer: data });
    await page.locator('.drop').waitFor();
    await page.dispatchEvent('main', 'drop', { dataTransfer: data });
    await page.locator('.composer .chip-name').first().waitFor();
    expect(await texts(page, '.composer .chip-name')).toEqual(['d.txt']);
    expect(await page.locator('.drop').count()).toBe(0);
  });

  it('sends its settings, and keeps them', async () => {
    const page = await open();
    await page.getByLabel('Settings of this conversation').click();
    await page.getByLabel('System prompt').fill('Be brief.');
    await page.getByLabel('Temperature').fill('0');
    await page.getByLabel('Seed').fill('7');
    await page.getByLabel('Longest answer').fill('50');
    await page.getByLabel('Reasoning effort').selectOption('low');
    await page.getByLabel('Close').click();
    const sent = page.waitForRequest('**/v1/chat/completions');
    await ask(page, 'Hello');
    const body = (await sent).postDataJSON() as { messages: object[] };
    expect(body).toMatchObject({ temperature: 0, seed: 7, max_tokens: 50, reasoning_effort: 'low', stream: true });
    expect(body.messages[0]).toEqual({ role: 'system', content: 'Be brief.' });
    expect(body).not.toHaveProperty('top_p');
    await page.reload();
    await page.getByLabel('Settings of this conversation').click();
    expect(await page.getByLabel('Seed').inputValue()).toBe('7');
  });

  it('can be found, renamed, exported, deleted and imported', async () => {
    const page = await open();
    await ask(page, 'About herons');
    await page.keyboard.press('Control+k');
    await page.locator('.empty').waitFor();
    await ask(page, 'About otters');
    expect(await texts(page, '.sidebar li a')).toEqual(['About otters', 'About herons']);
    await page.fill('#search', 'HERONS');
    await expect.poll(() => texts(page, '.sidebar li a')).toEqual(['About herons']);
    await page.fill('#search', '');
    await expect.poll(() => texts(page, '.sidebar li a')).toHaveLength(2);

    const menu = async (title: string, item: string) => {
      await page.locator('.sidebar li', { hasText: title }).hover();
      await page.getByLabel(`Actions for ${title}`).click();
      await page.getByRole('menuitem', { name: item }).click();
    };
    await menu('About otters', 'Rename');
    await page.getByLabel('Name of the conversation').fill('Rivers');
    await page.getByLabel('Name of the conversation').press('Enter');
    expect(await texts(page, '.sidebar li a')).toContain('Rivers');

    const download = page.waitForEvent('download');
    await menu('Rivers', 'Save as JSON');
    const saved = await readFile(await (await download).path(), 'utf8');
    expect(JSON.parse(saved)).toMatchObject({ format: 'sluice-conversations', conversations: [{ title: 'Rivers' }] });
    const markdown = page.waitForEvent('download');
    await menu('Rivers', 'Save as Markdown');
    expect(await readFile(await (await markdown).path(), 'utf8')).toMatch(/^# Rivers\n\n## User\n\nAbout otters/);

    await menu('Rivers', 'Delete');
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.locator('.empty').waitFor();
    expect(await texts(page, '.sidebar li a')).toEqual(['About herons']);
    await page.setInputFiles('[aria-label="Import conversations"]', file('saved.json', saved));
    await expect.poll(() => texts(page, '.said-text')).toEqual(['About otters']);
    await page.setInputFiles('[aria-label="Import conversations"]', file('saved.json', '{"format": "other"}'));
    expect(await page.locator('.notice.problem').innerText()).toMatch(/Nothing was imported. The file's format is "other"/);
    await page.reload();
    await expect.poll(() => texts(page, '.sidebar li a')).toHaveLength(2);
  });

  it('is seen in another tab', async () => {
    const page = await open();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await ask(page, 'Across tabs');
    await expect.poll(() => texts(other, '.sidebar li a')).toEqual(['Across tabs']);
  });
});

describe.skipIf(realServer)('an answer', () => {
  it('stops, by the button and by Esc', async () => {
    const page = await open();
    for (const stop of [() => page.getByLabel('Stop').click(), () => page.keyboard.press('Escape')]) {
      await say(page, 'slow please');
      await expect.poll(async () => (await page.locator('.from-assistant .prose').last().innerText().catch(() => '')).length).toBeGreaterThan(20);
      await stop();
      await answered(page);
      const text = await lastAnswer(page);
      expect(await page.locator('.ending').last().innerText()).toBe('Stopped.');
      await page.waitForTimeout(300);
      expect(await lastAnswer(page)).toBe(text);
    }
    await page.reload();
    await page.locator('.ending').first().waitFor();
    expect(await texts(page, '.ending')).toEqual(['Stopped.', 'Stopped.']);
  });

  it('keeps what was received when the page is reloaded', async () => {
    const page = await open();
    await say(page, 'slow please');
    await expect.poll(async () => (await page.locator('.from-assistant .prose').innerText().catch(() => '')).length, { timeout: 10_000 }).toBeGreaterThan(150);
    await page.waitForTimeout(2500);  // it is written down now and then
    await page.reload();
    await page.locator('.ending').waitFor();
    expect((await lastAnswer(page)).length).toBeGreaterThan(60);
    expect(await page.locator('.ending').innerText()).toMatch(/^Interrupted/);
  });

  it('goes on while another conversation is shown', async () => {
    const page = await open();
    await say(page, 'slow please');
    await page.locator('.from-assistant .prose').waitFor();
    await page.keyboard.press('Control+k');
    await ask(page, 'Meanwhile');
    expect(await page.locator('.sidebar .dot').count()).toBe(1);
    await page.locator('.sidebar li a', { hasText: 'slow' }).click();
    await page.getByLabel('Stop').waitFor();
    const before = (await lastAnswer(page)).length;
    await expect.poll(async () => (await lastAnswer(page)).length).toBeGreaterThan(before);
  });

  it('folds its thinking and says how long it took', async () => {
    const page = await open();
    await say(page, 'think about it');
    await page.locator('text=/Thinking… \\d+ s/').waitFor();
    await answered(page);
    const fold = page.getByRole('button', { name: /Thought for \d s/ });
    expect(await fold.getAttribute('aria-expanded')).toBe('false');
    expect(await page.locator('.thoughts').count()).toBe(0);
    await fold.click();
    expect(await page.locator('.thoughts').innerText()).toMatch(/forty-two/);
    expect(await page.locator('.from-assistant > .prose strong').innerText()).toBe('42');
  });

  it('renders formulas, tables and code with a button to copy', async () => {
    const page = await open();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await ask(page, 'a sample');
    expect(await page.locator('.katex-display').count()).toBe(1);
    expect(await page.evaluate(() => document.fonts.check('16px KaTeX_Math'))).toBe(true);
    expect(await page.locator('td').count()).toBe(6);
    await page.getByLabel('Copy code').click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^def rate/);
    await page.getByLabel('Copy message').last().click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^Water finds its level; so does a \*\*cache\*\*/);
  });

  it('cannot run, load or hide anything', async () => {
    const page = await open();
    await ask(page, 'hostile');
    await page.waitForTimeout(300);
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    expect(await page.locator('.prose script, .prose iframe, .prose img, .prose style').count()).toBe(0);
    expect(await page.locator('.prose strong').innerText()).toBe('still here');
    expect(await page.locator('.prose a[href^=javascript]').count()).toBe(0);
  });

  it('shows how much of a long prompt is read', async () => {
    const page = await open();
    await say(page, 'a long prompt');
    await page.locator('text=/Reading the prompt: [\\d,]+ of 4,096 tokens, \\d+ %/').waitFor();
    expect(await page.locator('progress').count()).toBe(1);
    await answered(page);
    expect(await lastAnswer(page)).toBe('Read it all.');
  });

  it('calls tools, and goes on with what they said', async () => {
    const page = await open();
    await ask(page, 'the weather?');
    expect(await page.locator('.tool-name').innerText()).toBe('Calls get_weather');
    expect(await page.locator('.tool pre').innerText()).toContain('"city": "Lisbon"');
    await page.getByLabel('Result').fill('{"temperature": 21}');
    const sent = page.waitForRequest('**/v1/chat/completions');
    await page.getByRole('button', { name: 'Send result' }).click();
    const { messages } = (await sent).postDataJSON() as { messages: object[] };
    expect(messages.slice(1)).toMatchObject([
      { role: 'assistant', tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_weather' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: '{"temperature": 21}' },
    ]);
    await answered(page);
    expect(await lastAnswer(page)).toMatch(/The tool said: \{"temperature": 21\}/);
  });

  it("shows the server's errors, before and in the middle of an answer", async () => {
    const page = await open();
    await ask(page, 'refuse this');
    expect(await page.locator('.error p').innerText()).toBe('The prompt has 9000 tokens; the context holds 8192. Shorten it or start with --ctx 16384.');
    await ask(page, 'break');
    expect(await page.locator('.error p').last().innerText()).toMatch(/offset 4096/);
    expect(await lastAnswer(page)).toBe('This much arrives and then');
    await ask(page, 'vanish');
    expect(await page.locator('.error p').last().innerText()).toMatch(/^The connection to the server broke off/);
    await page.getByRole('button', { name: 'Try again' }).last().click();
    await expect.poll(() => page.locator('.from-assistant .branches').count()).toBe(1);
  });
});

describe.skipIf(realServer)('the server', () => {
  it('may ask for a key', async () => {
    const guarded = await startMock({ key: 'sesame', speed: 4 });
    try {
      const page = await open({ url: guarded.url });
      await page.getByLabel('Key', { exact: true }).fill('wrong');
      await page.getByRole('button', { name: 'Continue' }).click();
      await expect.poll(() => page.getByLabel('Key', { exact: true }).inputValue()).toBe('');
      await page.getByLabel('Key', { exact: true }).fill('sesame');
      await page.keyboard.press('Enter');
      await ask(page, 'Hello');
      await page.reload();
      await ask(page, 'Hello again');
      expect(await page.locator('dialog').count()).toBe(0);
    } finally {
      await guarded.close();
    }
  });

  it('is shown as it loads the model, and when it goes away', async () => {
    const slow = await startMock({ loading: 3 });
    const page = await open({ url: slow.url });
    await page.locator('.pill', { hasText: /reading weights \d+ %/ }).waitFor();
    await page.locator('.pill[data-kind=ready]', { hasText: 'deepseek-r1' }).waitFor();
    await slow.close();
    await ask(page, 'Hello?');
    expect(await page.locator('.error p').innerText()).toBe('The server does not answer. Is it still running?');
    await page.locator('.pill[data-kind=unreachable]').waitFor();
  });
});
