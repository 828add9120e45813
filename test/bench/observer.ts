// Whoever watches a host, in a process of its own as a browser and a Prometheus are: scrapes every second, polls what a dashboard shows, keeps a stream of events open. Started by observed.ts, until its input ends.
const [address = '', token = '', types = ''] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };

const SCRAPE_MS = 1000;
const POLL_MS = 2000;
/** What the pages of a dashboard ask for, all of them at once. */
const POLLED = ['/status', '/plugins', '/messages?limit=50', '/deliveries?limit=50', '/dead-letters?limit=50', '/lanes?limit=50', '/sessions?limit=50', '/quarantine', '/approvals', '/audit?limit=50'];

const counts = { scrapes: 0, polls: 0, events: 0, failed: 0 };

async function ask(path: string): Promise<void> {
  const response = await fetch(`${address}${path}`, { headers });
  await response.text();
  if (response.status !== 200) counts.failed += 1;
}

const scraping = setInterval(() => {
  counts.scrapes += 1;
  void ask('/metrics');
}, SCRAPE_MS);
const polling = setInterval(() => {
  counts.polls += POLLED.length;
  for (const path of POLLED) void ask(`/api/v1${path}`);
}, POLL_MS);

const stream = new AbortController();
const { body } = await fetch(`${address}/api/v1/events?types=${types}`, { headers, signal: stream.signal });
const reading = (async () => {
  for await (const chunk of body ?? []) counts.events += Buffer.from(chunk).toString('latin1').split('\nevent: ').length - 1;
})().catch(() => undefined);
process.stdout.write('watching\n');
for await (const _ of process.stdin);
clearInterval(scraping);
clearInterval(polling);
stream.abort();
await reading;
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);
