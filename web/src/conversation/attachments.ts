import type { Attachment } from './model';
import { bytes } from '../ui/units';

export const fileLimit = 512 * 1024;
export const totalLimit = 2 * 1024 * 1024;

/** Reads text files; what cannot be attached is told in a sentence each. */
export async function readAttachments(files: Iterable<File>, already: Attachment[]): Promise<{ added: Attachment[]; problems: string[] }> {
  const added: Attachment[] = [];
  const problems: string[] = [];
  let total = already.reduce((sum, { text }) => sum + text.length, 0);
  for (const file of files) {
    if (file.size > fileLimit) {
      problems.push(`${file.name} has ${bytes(file.size)}; a file may have ${bytes(fileLimit)}.`);
      continue;
    }
    if (total + file.size > totalLimit) {
      problems.push(`${file.name} does not fit: together the files may have ${bytes(totalLimit)}.`);
      continue;
    }
    const text = await readText(file);
    if (text === null) {
      problems.push(`${file.name} is not a text file in UTF-8.`);
      continue;
    }
    total += file.size;
    added.push({ name: file.name, text });
  }
  return { added, problems };
}

async function readText(file: File): Promise<string | null> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
    return text.includes('\0') ? null : text.replace(/\r\n?/g, '\n');
  } catch {
    return null;
  }
}
