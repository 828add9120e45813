// The options of `plugins enable`, from text to what they mean. Throws USAGE with the option's name.
import { isAbsolute, relative, resolve } from 'node:path';
import { InstanceName, SecretHandle } from '../../schemas/ids.ts';
import { SecretReference } from '../../schemas/enablement.ts';
import { BOUNDS } from '../../schemas/bounds.ts';
import { GatehouseError } from '../errors.ts';
import { compileSchema } from '../schema.ts';
import { parseStrict } from '../strict-json.ts';
import type { Choices } from './enable-package.ts';

/** As commander hands them over. */
export interface EnableOptions {
  readonly instance?: string;
  readonly required?: boolean;
  readonly grants?: string;
  readonly config?: string;
  readonly secret?: readonly string[];
}

export interface Places {
  /** Paths on the command line are relative to it. */
  readonly cwd: string;
  /** Paths in an enablement are relative to it. */
  readonly home: string;
}

export function choicesOf({ instance, required, grants, config, secret = [] }: EnableOptions, places: Places): Choices {
  if (instance !== undefined && !compileSchema(InstanceName).is(instance)) usage('--instance: write lower-case letters, digits and dashes, a letter first');
  if (grants !== undefined && grants !== 'requested' && grants !== 'none') usage(`--grants: '${grants}' is neither requested nor none`);
  return {
    instance,
    required,
    grants,
    config: config === undefined ? undefined : configOf(config),
    secrets: secret.length === 0 ? undefined : Object.fromEntries(secret.map((each) => secretOf(each, places))),
  };
}

/** Whether anything was chosen at all. */
export const isChoice = (choices: Choices): boolean => Object.values(choices).some((value) => value !== undefined);

function configOf(text: string): Record<string, unknown> {
  const { value } = parseStrict(text, { source: '--config', maxBytes: BOUNDS.manifestBytes, maxDepth: BOUNDS.jsonDepth });
  return isObject(value) ? value : usage('--config: not a JSON object');
}

/** `handle=env:NAME` or `handle=file:PATH`. */
function secretOf(text: string, { cwd, home }: Places): [string, SecretReference] {
  const [, handle = '', kind, place = ''] = /^([^=]*)=(env|file):(.+)$/s.exec(text) ?? [];
  const reference = kind === 'env' ? { env: place } : { file: relativeTo(home, resolve(cwd, place)) };
  if (kind === undefined || !compileSchema(SecretHandle).is(handle) || !compileSchema(SecretReference).is(reference)) return usage('--secret: write handle=env:NAME or handle=file:PATH');
  return [handle, reference];
}

/** Inside the home a file moves with it; outside it stays where it is. */
function relativeTo(home: string, path: string): string {
  const way = relative(home, path);
  return way.startsWith('..') || isAbsolute(way) ? path : way;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function usage(problem: string): never {
  throw new GatehouseError('USAGE', { problem });
}
