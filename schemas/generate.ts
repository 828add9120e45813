// Writes every published schema to schemas/json/. `--check` writes nothing and fails when a file differs.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApprovalStatement, RevokedApprovals, ReviewerRecord, SealedKeyFile } from './approval.ts';
import { Capability } from './capability.ts';
import { DeadLetterView, Diagnostic, LaneView, MessageView, PluginView, Problem, SendMessageBody, SessionView } from './control.ts';
import { Enablement } from './enablement.ts';
import { BackupIndex } from './backup.ts';
import { EventEnvelope } from './event.ts';
import { ExportLine } from './export.ts';
import { HostConfig } from './host-config.ts';
import { Action, ChannelRequest, Decision, Delivery, InboundMessage, Message, Reply, Session } from './message.ts';
import { PluginManifest } from './plugin-manifest.ts';
import { DsseEnvelope, KeyFile, ReleaseStatement, TrustRecord } from './release.ts';
import { Lock } from './lock.ts';
import { ReleaseDiff } from './release-diff.ts';
import { KeySuccessionStatement, RevocationListStatement, RevocationView, Revocations, RevokerRecord } from './revocation.ts';
import { ScanResult } from './scan.ts';
import { RebuildRecord } from './rebuild.ts';
import { Evidence, QuarantineView } from './quarantine.ts';
import { ChildFrame, HostFrame } from './sandbox-protocol.ts';
import { BOUNDS, LIMITS } from './bounds.ts';

const PUBLISHED = {
  'plugin-manifest': PluginManifest, enablement: Enablement, 'host-config': HostConfig, capability: Capability,
  message: Message, 'inbound-message': InboundMessage, reply: Reply, session: Session, delivery: Delivery, action: Action,
  'channel-request': ChannelRequest, decision: Decision,
  'dsse-envelope': DsseEnvelope, 'release-statement': ReleaseStatement, 'key-file': KeyFile, 'trust-record': TrustRecord, revocations: Revocations,
  'release-diff': ReleaseDiff, lock: Lock,
  'approval-statement': ApprovalStatement, 'reviewer-record': ReviewerRecord, 'sealed-key-file': SealedKeyFile, 'revoked-approvals': RevokedApprovals,
  'revocation-list-statement': RevocationListStatement, 'key-succession-statement': KeySuccessionStatement, 'revoker-record': RevokerRecord, 'revocation-view': RevocationView,
  'scan-result': ScanResult,
  'rebuild-record': RebuildRecord,
  'host-frame': HostFrame, 'child-frame': ChildFrame,
  event: EventEnvelope, backup: BackupIndex, export: ExportLine,
  evidence: Evidence, 'quarantine-view': QuarantineView,
  diagnostic: Diagnostic, 'plugin-view': PluginView, 'message-view': MessageView, 'dead-letter-view': DeadLetterView, 'lane-view': LaneView, 'session-view': SessionView, 'send-message': SendMessageBody, problem: Problem,
};

const folder = join(import.meta.dirname, 'json');
const check = process.argv.includes('--check');
const files = new Map<string, string>();
for (const [name, schema] of Object.entries(PUBLISHED)) {
  const document = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: `https://gatehouse.dev/schemas/${name}.schema.json`, ...schema };
  files.set(`${name}.schema.json`, `${JSON.stringify(document, null, 2)}\n`);
}
files.set('bounds.json', `${JSON.stringify({ bounds: BOUNDS, limits: LIMITS }, null, 2)}\n`);

const stale: string[] = [];
mkdirSync(folder, { recursive: true });
const present = new Set(readdirSync(folder));
for (const [name, content] of files) {
  const current = present.delete(name) ? readFileSync(join(folder, name), 'utf8') : undefined;
  if (current === content) continue;
  stale.push(name);
  if (!check) writeFileSync(join(folder, name), content);
}
for (const name of present) {
  stale.push(name);
  if (!check) rmSync(join(folder, name));
}
if (check && stale.length > 0) {
  console.error(`schemas/json is not what schemas/*.ts generate: ${stale.join(', ')}. Run \`npm run schemas\` and commit the result.`);
  process.exitCode = 1;
} else {
  console.error(check ? `schemas/json: ${files.size} files match their source` : `schemas/json: ${stale.length} of ${files.size} files written`);
}
