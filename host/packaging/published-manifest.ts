// package.json as it is published, in its place only while npm packs: `node published-manifest.ts put`, then `back`. Called by prepack and postpack of plugin-sdk.
// In a checkout the SDK's exports are its sources, so that nothing needs building; in an install they are dist/. npm packs the file as it stands, and cannot be told to pack another.
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { writeFileWhole } from '../authoring/write-file.ts';

const MANIFEST = 'package.json';
const OURS = 'package.checkout.json';

switch (process.argv[2]) {
  case 'put':
    await back(); // an earlier run may have been killed in between
    await put();
    break;
  case 'back':
    await back();
    break;
  default:
    throw new Error('put or back?');
}

/** `publishConfig.exports` replaces `exports`, as pnpm does it by itself; scripts of the checkout are left out. */
async function put(): Promise<void> {
  const ours = await readFile(MANIFEST, 'utf8');
  const { scripts: _scripts, publishConfig, ...manifest }: Record<string, unknown> = Object(JSON.parse(ours));
  const { exports, ...config }: Record<string, unknown> = Object(publishConfig);
  await writeFileWhole(OURS, ours);
  await writeFileWhole(MANIFEST, `${JSON.stringify({ ...manifest, exports, publishConfig: config }, null, 2)}\n`);
}

async function back(): Promise<void> {
  if (existsSync(OURS)) await rename(OURS, MANIFEST);
}
