// Memory: proportional set size of the whole process tree at ready with the first-party defaults, and after many messages.
import { readFileSync } from 'node:fs';
import { openChat } from '../support/chat.ts';
import { addFirstParty } from '../support/first-party.ts';
import { aHome } from '../support/home.ts';
import { startProcess } from '../support/process.ts';

export async function memory({ smoke }: { readonly smoke: boolean }): Promise<void> {
  await using home = await aHome();
  for (const name of ['webchat', 'wordlist', 'clock', 'concierge', 'echo'] as const) await addFirstParty(home, name, { required: name === 'webchat' });
  await using host = await startProcess(home.path);
  report('at-ready', host.pid);
  const messages = smoke ? 200 : 20_000;
  const chats = await Promise.all(Array.from({ length: 20 }, () => openChat(host.address)));
  await Promise.all(
    chats.map(async (chat) => {
      for (let each = 0; each < messages / chats.length; each += 1) await chat.ask(`echo ${each}`);
    }),
  );
  for (const chat of chats) await chat[Symbol.asyncDispose]();
  report(`after-${messages}-messages`, host.pid);
}

function report(when: string, pid: number): void {
  const children = descendants(pid);
  const tree = [pid, ...children].reduce((sum, each) => sum + pssMb(each), 0);
  console.log(`memory ${when} processes=${1 + children.length} treePssMb=${tree.toFixed(0)} hostPssMb=${pssMb(pid).toFixed(0)} sandboxPssMb=${(children.reduce((sum, each) => sum + pssMb(each), 0) / Math.max(1, children.length)).toFixed(1)}`);
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return children.flatMap((each) => [each, ...descendants(each)]);
}

/** Proportional set size (proc(5), smaps_rollup) in MB; 0 for a process that is gone. */
function pssMb(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
