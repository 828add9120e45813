// What a reviewer sees of quarantine: who is in it and why, and the evidence, held against the digest that the registry recorded. The API and, where no host runs, the command line ask here.
import { basename } from 'node:path';
import type { EvidenceView, QuarantineDetail, QuarantineView } from '../../schemas/quarantine.ts';
import { GatehouseError } from '../errors.ts';
import type { ResolvedEnablement } from '../registry/enablement-file.ts';
import { scan, type Store } from '../store/store.ts';
import { plugins, transitions, type PluginRow, type TransitionRow } from '../store/tables.ts';
import { findEvidence, readEvidence, type FoundEvidence } from './evidence.ts';

export interface QuarantineDesk {
  /** Every instance that is quarantined or revoked, by name; also those whose enablement is gone. */
  list(): Promise<readonly QuarantineView[]>;
  /** With its last moves. Throws PLUGIN_NOT_FOUND, NOT_IN_QUARANTINE. */
  show(instance: string): Promise<QuarantineDetail>;
  /** The newest bundle of an instance, also of one that was released since. Throws PLUGIN_NOT_FOUND, EVIDENCE_MISSING, EVIDENCE_CHANGED. */
  evidence(instance: string): Promise<EvidenceView>;
}

export interface DeskParts {
  readonly store: Store;
  readonly dataDir: string;
  /** Resolves once the store says what the registry knows. */
  readonly written: () => Promise<void>;
  /** Undefined where none names the instance. */
  readonly enablementOf: (instance: string) => Pick<ResolvedEnablement, 'required' | 'onQuarantine'> | undefined;
}

/** Moves that are shown, and those among which the last evidence is looked for. */
const MOST_MOVES = 20;
const ALL_MOVES = 200;

export function quarantineDesk({ store, dataDir, written, enablementOf }: DeskParts): QuarantineDesk {
  const movesOf = async (instance: string, limit: number): Promise<TransitionRow[]> => (await store.range(transitions, transitions.prefix(instance), { reverse: true, limit })).map(({ value }) => value);

  /** Throws PLUGIN_NOT_FOUND. */
  async function rowOf(instance: string): Promise<PluginRow> {
    await written();
    const found = await store.get(plugins, plugins.key(instance));
    if (!found) throw new GatehouseError('PLUGIN_NOT_FOUND', { instance });
    return found.value;
  }

  /** Of the quarantine it is in, else of the last time it was stopped. */
  async function recordedFor(instance: string, row: PluginRow): Promise<string | undefined> {
    return row.quarantine?.evidenceDigest ?? (await movesOf(instance, ALL_MOVES)).find(({ evidenceDigest }) => evidenceDigest !== undefined)?.evidenceDigest;
  }

  async function viewOf(instance: string, row: PluginRow): Promise<QuarantineView | undefined> {
    const sentence = sentenceIn(row);
    if (!sentence) return undefined;
    const { plugin, version, digest, state } = row;
    const { at: since, actor, reason, code, trigger } = sentence;
    const { required, onQuarantine } = enablementOf(instance) ?? {};
    const recorded = await recordedFor(instance, row);
    const evidence = recorded === undefined ? { state: 'none' as const } : shown(recorded, await findEvidence(dataDir, instance, recorded));
    return {
      instance, plugin, version, digest, state, since, actor, code, reason, evidence,
      ...(required === undefined ? {} : { required }),
      ...(trigger === undefined ? {} : { trigger }),
      ...(onQuarantine === undefined ? {} : { onQuarantine }),
    };
  }

  return {
    async list() {
      await written();
      const views: QuarantineView[] = [];
      for await (const page of scan(store, plugins, plugins.prefix())) {
        for (const { key, value } of page) {
          const view = await viewOf(String(key[1]), value);
          if (view) views.push(view);
        }
      }
      return views;
    },
    async show(instance) {
      const row = await rowOf(instance);
      const view = await viewOf(instance, row);
      if (!view) throw new GatehouseError('NOT_IN_QUARANTINE', { instance, state: row.state });
      return { ...view, moves: await movesOf(instance, MOST_MOVES) };
    },
    async evidence(instance) {
      const recorded = await recordedFor(instance, await rowOf(instance));
      if (recorded === undefined) throw new GatehouseError('EVIDENCE_MISSING', { instance, problem: 'none was ever recorded' });
      const found = await findEvidence(dataDir, instance, recorded);
      if (found.state === 'missing') throw new GatehouseError('EVIDENCE_MISSING', { instance, problem: `no file has the recorded digest ${recorded}` });
      if (found.state === 'changed') throw new GatehouseError('EVIDENCE_CHANGED', { instance, expected: recorded, actual: found.actual, file: basename(found.file) });
      return { instance, digest: recorded, file: found.file, evidence: readEvidence(found.bytes, found.file) };
    },
  };
}

/** Why it was stopped, as it was told then; undefined for whoever may run. */
function sentenceIn({ state, quarantine, at, actor, reason, code }: PluginRow): PluginRow['quarantine'] {
  if (state === 'quarantined') return quarantine ?? { at, actor, reason, code: code ?? 'PLUGIN_QUARANTINED' };
  return state === 'revoked' ? { at, actor, reason, code: code ?? 'REVOKED', trigger: 'revocation' } : undefined;
}

function shown(digest: string, found: FoundEvidence): QuarantineView['evidence'] {
  return { state: found.state, digest, ...('file' in found ? { file: found.file } : {}) };
}
