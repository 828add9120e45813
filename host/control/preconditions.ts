// Entity tags and what is asked by them: `ETag`, `If-None-Match`, `If-Match` of RFC 9110 §8.8.3 and §13.1. routes/api.ts asks for every route; decision 0051 says what a tag is made of.
import { hash } from 'node:crypto';
import { GatehouseError } from '../errors.ts';
import { canonicalJson } from '../trust/canonical-json.ts';

/** How one thing is tagged. */
export interface Tagging {
  /** Members that change by themselves: they are in the tag, so that nobody is shown an old one, and no If-Match fails for them. */
  readonly aside?: readonly string[];
}

/** What a caller knows of the state, from its headers. */
export interface Preconditions {
  /** Undefined without the header; `*` is whatever is there. */
  readonly match?: readonly string[] | '*';
  readonly noneMatch?: readonly string[] | '*';
}

/**
 * `"<state>"`, or `"<state>.<rest>"` of what has members that change by themselves. Strong: any two answers with the same tag are the same, member by member.
 */
export function tagOf(answer: unknown, { aside = [] }: Tagging = {}): string {
  if (aside.length === 0) return `"${digest(answer)}"`;
  const members = Object.entries({ ...Object(answer) });
  const [rest, state] = [true, false].map((isAside) => Object.fromEntries(members.filter(([name]) => aside.includes(name) === isAside)));
  return `"${digest(state)}.${digest(rest)}"`;
}

/** Throws REQUEST_INVALID with the header that is not a list of tags. */
export function preconditionsOf(headers: { readonly 'if-match'?: string | undefined; readonly 'if-none-match'?: string | undefined }): Preconditions {
  const [match, noneMatch] = [tagsIn(headers, 'if-match'), tagsIn(headers, 'if-none-match')];
  return { ...(match === undefined ? {} : { match }), ...(noneMatch === undefined ? {} : { noneMatch }) };
}

/** Of a GET: the caller has it already. RFC 9110 §13.1.2 compares weakly, as a proxy that packs answers makes tags weak. */
export const isFresh = ({ noneMatch }: Preconditions, current: string): boolean => noneMatch === '*' || (noneMatch?.some((each) => each.replace(/^W\//, '') === current) ?? false);

/** Throws PRECONDITION_FAILED. By state alone: what changes by itself is nobody's change. A weak tag never matches (§13.1.1). */
export function demand({ match, noneMatch }: Preconditions, current: string): void {
  const state = stateIn(current);
  if (match !== undefined && match !== '*' && !match.some((each) => stateIn(each) === state)) throw new GatehouseError('PRECONDITION_FAILED', { header: 'if-match', etag: current });
  if (noneMatch !== undefined && (noneMatch === '*' || noneMatch.some((each) => stateIn(each.replace(/^W\//, '')) === state))) throw new GatehouseError('PRECONDITION_FAILED', { header: 'if-none-match', etag: current });
}

/** 128 bits: nobody finds two states with the same tag by trying. */
const digest = (value: unknown): string => hash('sha256', canonicalJson(value), 'base64url').slice(0, 22);

/** The tag without what changes by itself. */
const stateIn = (tag: string): string => tag.replace(/\.[^".]*"$/, '"');

/** §8.8.3: a tag is any visible character between quotes; whether it is weak is in front. */
const TAG = String.raw`(?:W/)?"[\x21\x23-\x7e]*"`;
const TAGS = new RegExp(String.raw`^${TAG}(?:[ \t]*,[ \t]*${TAG})*$`);

function tagsIn(headers: Readonly<Record<string, string | undefined>>, name: 'if-match' | 'if-none-match'): readonly string[] | '*' | undefined {
  const given = headers[name]?.trim();
  if (given === undefined || given === '*') return given;
  if (!TAGS.test(given)) throw new GatehouseError('REQUEST_INVALID', { path: `header ${name}`, problem: 'must be * or a list of tags in double quotes, as the header etag has them' });
  return given.match(new RegExp(TAG, 'g')) ?? [];
}
