// `npm run bench [-- pipeline|open-loop|start|memory|sandbox|neighbours|recovery|recovery-queue|egress|flood|audit|verify|observed|api|all] [--smoke]`: what the real product does, measured in one run on this machine. Ratios count, absolute figures do not travel.
import { api } from './api.ts';
import { audit } from './audit.ts';
import { egress } from './egress.ts';
import { flood } from './flood.ts';
import { memory } from './memory.ts';
import { neighbours } from './neighbours.ts';
import { observed } from './observed.ts';
import { openLoop } from './open-loop.ts';
import { pipeline } from './pipeline.ts';
import { recovery } from './recovery.ts';
import { recoveryQueue } from './recovery-queue.ts';
import { sandbox } from './sandbox.ts';
import { starts } from './start.ts';
import { verifying } from './verify.ts';

const smoke = process.argv.includes('--smoke');
const which = process.argv.slice(2).find((each) => !each.startsWith('--')) ?? 'all';

const BENCHES: Readonly<Record<string, (options: { readonly smoke: boolean }) => Promise<void>>> = { pipeline, 'open-loop': openLoop, start: starts, memory, sandbox, neighbours, recovery, 'recovery-queue': recoveryQueue, egress, flood, audit, verify: verifying, observed, api };

const chosen = which === 'all' ? Object.keys(BENCHES) : [which];
for (const name of chosen) {
  const bench = BENCHES[name];
  if (!bench) {
    console.error(`There is no bench '${name}'. Choose one of: ${Object.keys(BENCHES).join(', ')}, all.`);
    process.exitCode = 2;
    break;
  }
  await bench({ smoke });
}
