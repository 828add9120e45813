// The process that looks through one big package: its files come on stdin, its findings go to stdout. Started by apart.ts, which also ends it.
import { buffer } from 'node:stream/consumers';
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';
import { lookThrough } from './look.ts';

/** As apart.ts writes it; nobody else starts this program. */
interface Header {
  readonly manifest: PluginManifest;
  readonly files: readonly (readonly [name: string, length: number])[];
}

const input = await buffer(process.stdin);
const start = 4 + input.readUInt32BE(0);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the host itself a moment ago
const { manifest, files: sizes } = JSON.parse(input.toString('utf8', 4, start)) as Header;
const files = new Map<string, Buffer>();
let offset = start;
for (const [name, length] of sizes) {
  files.set(name, input.subarray(offset, offset + length));
  offset += length;
}
process.stdout.write(JSON.stringify(lookThrough({ files, manifest })));
