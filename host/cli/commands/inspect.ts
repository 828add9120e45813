// `gatehouse inspect`: what a package is, what it asks for, and whether it can be believed. Shows a package that does not verify too, and says so.
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { LIMITS } from '../../../schemas/bounds.ts';
import type { PluginManifest } from '../../../schemas/plugin-manifest.ts';
import { describeCapability } from '../../trust/powers/describe-capability.ts';
import { describeSender, describeVerification } from '../../trust/powers/describe-ingress.ts';
import { readManifest } from '../../trust/manifest.ts';
import { MANIFEST_FILE } from '../../trust/package-names.ts';
import { readPackage } from '../../trust/package.ts';
import type { Verification } from '../../trust/verify.ts';
import { checkLines } from '../check-lines.ts';
import { example } from '../help.ts';
import { plainLine, type Io } from '../io.ts';
import { facts, table } from '../table.ts';
import { verifyFor } from '../trust-context.ts';

export function register(program: Command, io: Io): void {
  program
    .command('inspect <package>')
    .description('show identity, files, capabilities, limits and configuration of a package')
    .option('--trust <dir>', "a folder of trust records (default: the home's)")
    .addHelpText('after', example('gatehouse inspect hello-1.0.0.tgz'))
    .action(async (path: string, { trust }: { trust?: string }) => {
      const { files } = await readPackage(resolve(io.cwd, path));
      const manifest = readManifest(files.get(MANIFEST_FILE) ?? Buffer.alloc(0), MANIFEST_FILE);
      const view = viewOf(manifest, files, await verifyFor(io, path, trust));
      io.print(view, () => render(io, view));
    });
}

type View = ReturnType<typeof viewOf>;

function viewOf(manifest: PluginManifest, files: ReadonlyMap<string, Buffer>, verification: Verification) {
  const { id, version, publisher, kind, displayName, description, license, repository, securityContact, hostApi, capabilities = [], limits = {}, requires = [] } = manifest;
  return {
    verified: verification.ok,
    packageDigest: verification.claims.packageDigest,
    keyid: verification.claims.keyid,
    id, version, publisher, kind, displayName, description, license, repository, securityContact, hostApi, requires,
    capabilities: capabilities.map((each) => ({ ...each, meaning: describeCapability(each) })),
    ingress: manifest.channel?.ingress.map(({ method, path, verify, sender }) => ({ method, path, verify: verify.scheme, meaning: `${describeVerification(verify)}${describeSender(verify, sender)}` })),
    text: manifest.channel && (manifest.channel.text ?? 'plain'),
    tools: manifest.tools?.map(({ name, description, effects }) => ({ name, description, effects })),
    limits: Object.fromEntries(Object.entries(LIMITS).map(([name, { default: usual }]) => [name, Object.entries(limits).find(([key]) => key === name)?.[1] ?? usual])),
    config: settingsOf(manifest.config),
    files: [...files].map(([name, content]) => ({ name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') })),
    checks: verification.checks,
  };
}

function render(io: Io, view: View): string {
  const { id, version, publisher, kind, displayName, description, license, repository, securityContact, hostApi, packageDigest, keyid } = view;
  const sections: [string, string][] = [
    ['', facts(io, { plugin: `${displayName} (${id} ${version})`, kind, description, publisher, license, repository, security: securityContact, hostApi, digest: packageDigest, 'signed by': keyid ?? 'nobody' })],
    ['It asks to', view.capabilities.map(({ meaning, reason }) => `• ${plainLine(meaning, 300)}${reason === undefined ? '' : `\n  ${io.tone('dim', `“${plainLine(reason, 500)}”`)}`}`).join('\n') || 'nothing: it only sees what it is called with'],
    ['It is reached at', (view.ingress ?? []).map(({ method, path, verify, meaning }) => plainLine(`${method} ${path}  ${verify === 'none' ? 'by anyone: nothing is verified' : `${verify}: ${meaning}`}`, 500)).join('\n')],
    ['It writes', view.text === undefined ? '' : `texts in ${view.text}`],
    ['Its tools', table(io, view.tools ?? [], { name: ({ name }) => name, effects: ({ effects }) => effects, description: ({ description: text }) => text }, '')],
    ['It requires', view.requires.map((each) => plainLine(`${each.id} ${each.range}${each.optional === true ? ' (optional)' : ''}`)).join('\n')],
    ['Limits', facts(io, view.limits)],
    ['Configuration', table(io, view.config, { name: ({ name }) => name, type: ({ type }) => type, '': ({ required, secret }) => [required ? 'required' : '', secret ? 'secret' : ''].filter(Boolean).join(', '), meaning: ({ description: text }) => text ?? '' }, '')],
    ['Files', table(io, view.files, { name: ({ name }) => name, bytes: ({ bytes }) => bytes, sha256: ({ sha256 }) => sha256 }, '')],
    ['Checks', checkLines(io, view.checks).join('\n')],
  ];
  const shown = sections.filter(([, body]) => body !== '').map(([title, body]) => (title === '' ? body : `${io.tone('bold', title)}\n${body}`));
  return view.verified ? shown.join('\n\n') : [io.tone('red', 'This package does not verify: nothing below can be believed.'), ...shown].join('\n\n');
}

function settingsOf(config: PluginManifest['config']): { name: string; type: string; required: boolean; secret: boolean; description: string | undefined }[] {
  const properties: Readonly<Record<string, unknown>> = { ...Object(config?.['properties']) };
  const required: unknown = config?.['required'];
  return Object.entries(properties).map(([name, schema]) => {
    const { type, description, 'x-secret': secret, enum: words }: Readonly<Record<string, unknown>> = { ...Object(schema) };
    const typeText = Array.isArray(words) ? words.map((word) => JSON.stringify(word)).join(' | ') : [type].flat().map((each) => (typeof each === 'string' ? each : 'any')).join(' | ');
    return { name, type: typeText, required: Array.isArray(required) && required.includes(name), secret: secret === true, description: typeof description === 'string' ? description : undefined };
  });
}
