// What a backup says of itself (`backup.json`), and how the control plane speaks of backups.
import { Type, type Static } from 'typebox';
import { closed, oneOf, text, whole } from './closed.ts';
import { Timestamp } from './ids.ts';

const count = whole(0, Number.MAX_SAFE_INTEGER);

/** `20261121T105012Z`, and a number where two are made in one second. */
export const BackupName = Type.String({ pattern: '^\\d{8}T\\d{6}Z(-\\d{1,3})?$' });

export const BackupIndex = closed(
  {
    $schema: Type.Optional(text(300)),
    backupVersion: Type.Literal(1),
    at: Timestamp,
    gatehouse: text(64, { description: 'The version that wrote it.' }),
    storeSchema: count,
    files: Type.Array(
      closed({
        path: Type.String({ pattern: '^(data|home/manifests|home/plugins)/.', maxLength: 4000, description: 'Below the backup, with slashes.' }),
        bytes: count,
        sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
        mode: whole(0, 0o777),
      }),
      { maxItems: 1_000_000, description: 'Every file, in the order of paths.' },
    ),
    skipped: Type.Array(text(4000), { maxItems: 10_000, description: 'Links, sockets and the like: they are not in it.' }),
  },
  { title: 'Gatehouse backup' },
);
export type BackupIndex = Static<typeof BackupIndex>;

export const BackupView = closed({
  name: BackupName,
  state: oneOf('running', 'done', 'failed'),
  path: Type.Optional(text(4096, { description: 'Where it lies, on the machine of the host.' })),
  at: Type.Optional(Timestamp),
  files: Type.Optional(count),
  bytes: Type.Optional(whole(0, Number.MAX_SAFE_INTEGER, { description: 'While it is written: so far.' })),
  skipped: Type.Optional(count),
  problem: Type.Optional(text(4000)),
});
export type BackupView = Static<typeof BackupView>;
